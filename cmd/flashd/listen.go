package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/web"
)

// minToken is the length of a token that nobody tries out, in characters.
const minToken = 20

// apiToken is what changes over the network want, "" if they are refused.
func (s settings) apiToken() (credentials.Secret, error) {
	if s.API.TokenFile == "" && s.API.TokenEnv == "" {
		return "", nil
	}
	token, err := readSecret(s.API.TokenFile, s.API.TokenEnv)
	if err != nil {
		return "", misconfigured(fmt.Errorf("the token of the API: %w", err))
	}
	if err := credentials.CheckToken(token); err != nil {
		return "", withHint(exitUsage, fmt.Errorf("the token of the API: %w", err), "Make one with openssl rand -hex 32.")
	}
	if len(token.Reveal()) < minToken {
		return "", withHint(exitUsage, fmt.Errorf("the token of the API has %d characters, and at least %d are wanted", len(token.Reveal()), minToken),
			"Make one with openssl rand -hex 32.")
	}
	return token, nil
}

// certificate returns what the board shows for https, nil for plain http.
func (s settings) certificate(log *slog.Logger) (*web.Certificate, error) {
	if s.API.CertFile == "" {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	shown, err := web.LoadCertificate(s.API.CertFile, s.API.KeyFile, log)
	if err != nil {
		return nil, misconfigured(err)
	}
	return shown, nil
}

// listen opens the listener of the board, and returns the board's address.
func (s settings) listen(shown *web.Certificate) (net.Listener, string, error) {
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, "", withHint(exitFailure, fmt.Errorf("the board cannot be shown: %w", err), "Choose another address with --listen ADDR.")
	}
	if shown == nil {
		return l, "http://" + s.hostPort(l, nil) + "/", nil
	}
	return tls.NewListener(l, shown.TLS()), "https://" + s.hostPort(l, shown.Leaf()) + "/", nil
}

// hostPort is what a person can enter to see the board. One that listens on all
// addresses has a name: the first that it is given, or that its certificate is for.
func (s settings) hostPort(l net.Listener, cert *x509.Certificate) string {
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return l.Addr().String()
	}
	names := slices.Clone(s.API.Names)
	if cert != nil {
		names = append(names, cert.DNSNames...)
		for _, ip := range cert.IPAddresses {
			names = append(names, ip.String())
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, "*") })
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	return net.JoinHostPort(cmp.Or(append(names, "localhost")...), strconv.Itoa(at.Port))
}
