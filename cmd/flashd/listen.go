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

// listen opens the listener of the board, and returns the board's address.
func (s settings) listen(log *slog.Logger) (net.Listener, string, error) {
	var private *tls.Config
	scheme := "http"
	if s.API.CertFile != "" {
		var err error
		if private, err = web.LoadTLS(s.API.CertFile, s.API.KeyFile, log); err != nil {
			return nil, "", err
		}
		scheme = "https"
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, "", withHint(exitFailure, fmt.Errorf("the board cannot be shown: %w", err), "Choose another address with --listen ADDR.")
	}
	address := scheme + "://" + l.Addr().String() + "/"
	if private != nil {
		l = tls.NewListener(l, private)
	}
	return l, address, nil
}
