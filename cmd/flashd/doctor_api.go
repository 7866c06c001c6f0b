package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"time"
)

// renewTime is how long before its end a certificate should have been renewed.
const renewTime = 14 * 24 * time.Hour

// checkAPI wants the token and the certificate with which serve shows the board.
func checkAPI(_ context.Context, p *patient) finding {
	for _, secret := range []string{p.API.TokenFile, p.API.KeyFile} {
		if onlyForService(secret) {
			return doubtful("The log of the service says whether it was found.", "only the service can read %s, so it cannot be checked from here", secret)
		}
	}
	const advice = "Put that right in the section api of flashd.yaml: flashd serve will not start so."
	if _, err := p.apiToken(); err != nil {
		return wrongAs(err, advice)
	}
	shown, err := p.certificate(slog.New(slog.DiscardHandler))
	switch {
	case err != nil:
		return wrongAs(err, advice)
	case shown == nil:
		return fine("plain HTTP on %s", p.Listen)
	}
	const renew = "Renew it; flashd takes up the new one by itself."
	switch from, to := shown.Leaf().NotBefore, shown.Leaf().NotAfter; {
	case p.now.Before(from):
		return wrong("Look at the clock.", "the certificate is only good from %s", stamp(from))
	case p.now.After(to):
		return wrong(renew, "the certificate expired at %s", stamp(to))
	case p.now.Add(renewTime).After(to):
		return doubtful(renew, "the certificate expires at %s", stamp(to))
	default:
		return fine("HTTPS on %s, with a certificate until %s", p.Listen, stamp(to))
	}
}

// onlyForService reports whether a secret is passed by systemd to the service,
// which this is not.
func onlyForService(secret string) bool {
	return os.Getenv("CREDENTIALS_DIRECTORY") == "" && strings.HasPrefix(secret, "/run/credentials/")
}
