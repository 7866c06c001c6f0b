package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"hoptech.co.nz/flashd/internal/credentials"
)

// LoadTLS returns the settings of a listener that shows the certificate in
// certFile, whose key is in keyFile, both PEM. A certificate that is renewed
// there is shown from the next connection on; one that cannot be read is
// logged, and the one before it stays. A key that others can read is refused.
func LoadTLS(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"}, // over h2 a browser's event streams share one connection
		GetCertificate: c.get,
	}, nil
}

type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed [2]time.Time // when certFile and keyFile were, as of the latest attempt to load them
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed, err := c.times(); err == nil && changed != c.changed {
		if err := c.load(); err != nil {
			c.log.Error("the renewed TLS certificate cannot be used", "err", err)
		}
	}
	return c.pair, nil
}

// times is when the files were changed. Whoever renews them writes one after the
// other, so that between the two they do not belong together.
func (c *certificate) times() (changed [2]time.Time, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return changed, err
		}
		changed[i] = info.ModTime()
	}
	return changed, nil
}

func (c *certificate) load() (err error) {
	if c.changed, err = c.times(); err != nil {
		return err
	}
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return err
	}
	key, err := credentials.ReadSecretFile(c.keyFile)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, []byte(key.Reveal()))
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}
