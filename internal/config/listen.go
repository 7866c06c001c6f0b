package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
)

// checkAPI notes what is wrong with the listener.
func (f *file) checkAPI(c *Config) {
	if c.API.TokenFile != "" || c.API.TokenEnv != "" {
		f.secret("api.token", c.API.TokenFile, c.API.TokenEnv)
	}
	switch {
	case c.API.CertFile == "" && c.API.KeyFile != "":
		f.problemAt("api.key_file", "a key without its certificate: name that in api.cert_file")
	case c.API.CertFile != "" && c.API.KeyFile == "":
		f.problemAt("api.cert_file", "a certificate without its key: name that in api.key_file")
	}
	if err := c.CheckListen(); err != nil {
		f.problemAt("listen", "%v", err)
	}
}

// CheckListen returns what is wrong with Listen. Other machines get in only
// where TLS keeps the token that changes want private.
func (c *Config) CheckListen() error {
	host, port, err := net.SplitHostPort(c.Listen)
	n, convErr := strconv.Atoi(port)
	switch {
	case err != nil || convErr != nil || n < 0 || n > 65535:
		return errors.New("want HOST:PORT, such as 127.0.0.1:9470")
	case isLoopback(host) || c.API.secured():
		return nil
	default:
		return errors.New("other machines may reach the board only with TLS and a token: set api.cert_file, api.key_file and api.token_file, or listen on 127.0.0.1")
	}
}

// secured reports whether there are a certificate and a token.
func (a API) secured() bool {
	return a.CertFile != "" && a.KeyFile != "" && (a.TokenFile != "" || a.TokenEnv != "")
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
