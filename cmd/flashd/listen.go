package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

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
		return "", fmt.Errorf("the token of the API: %w", err)
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

// tls returns the settings of https, nil for plain http.
func (s settings) tls(log *slog.Logger) (*tls.Config, error) {
	if s.API.CertFile == "" {
		return nil, nil //nolint:nilnil // there are none, which is no error
	}
	return web.LoadTLS(s.API.CertFile, s.API.KeyFile, log)
}

// listen opens the listener of the board, and returns the board's address.
func (s settings) listen(private *tls.Config) (net.Listener, string, error) {
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, "", withHint(exitFailure, fmt.Errorf("the board cannot be shown: %w", err), "Choose another address with --listen ADDR.")
	}
	if private == nil {
		return l, "http://" + l.Addr().String() + "/", nil
	}
	return tls.NewListener(l, private), "https://" + l.Addr().String() + "/", nil
}
