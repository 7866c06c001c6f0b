package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// parseBase checks the base URL. It does not repeat one that may hold a password.
func parseBase(c ServerConfig) (*url.URL, error) {
	u, err := url.Parse(c.BaseURL)
	switch {
	case err != nil:
		return nil, errors.New("its URL cannot be read: want one such as https://config.example.com")
	case u.User != nil:
		return nil, errors.New("its URL holds a user or password: use the token instead")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("its URL has a query or fragment: want one such as https://config.example.com/api")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, fmt.Errorf("URL %q: want one such as https://config.example.com", u)
	case u.Scheme == "http" && !c.AllowPlainHTTP && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("URL %q would send the token unencrypted: use https, or allow plain HTTP", u)
	}
	return u, refuseProxy(u)
}

// refuseProxy returns why what goes to base must not go through the proxy that the
// environment names for it. Through one, https is a tunnel (CONNECT) that shows the
// proxy a host and a port; http is the request itself, token and all. ProxyFromEnvironment
// has none for this host's own addresses.
func refuseProxy(base *url.URL) error {
	if base.Scheme != "http" {
		return nil
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if err == nil && proxy != nil {
		err = fmt.Errorf("URL %q would go through the proxy %s of the environment variable HTTP_PROXY, which could read the token: use https, or put the host into NO_PROXY", base, proxy.Host)
	}
	return err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// CheckToken refuses what cannot stand in a header, a newline in the midst of it above all.
func CheckToken(token Secret) error {
	if token == "" {
		return errors.New("there is no token")
	}
	if strings.IndexFunc(token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return errors.New("the token has characters that a token cannot have, such as a space or a line break")
	}
	return nil
}

// newTransport trusts the certificates in caFile, or the system's if it is "".
func newTransport(caFile string) (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16 // one for every slot of a large fixture
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA file %s holds no PEM certificate", caFile)
	}
	transport.TLSClientConfig.RootCAs = pool
	return transport, nil
}
