package web

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"hoptech.co.nz/flashd/internal/credentials"
)

// A Certificate is what a listener shows. One that is renewed in its files is
// shown from the next connection on; one that cannot be read is logged, and the
// one before it stays.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed [2]time.Time // when certFile and keyFile were, as of the latest attempt to load them
}

// LoadCertificate reads the certificate in certFile, with its chain, and its key
// in keyFile, both PEM. A key that others can read is refused.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	return c, nil
}

// TLS returns the settings of a listener that shows the certificate.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"}, // over h2 a browser's event streams share one connection
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}
}

// Leaf returns the certificate itself, without its chain.
func (c *Certificate) Leaf() *x509.Certificate { return c.current().Leaf }

func (c *Certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed, err := c.times(); err == nil && changed != c.changed {
		if err := c.load(); err != nil {
			c.log.Error("the renewed TLS certificate cannot be used", "err", err)
		}
	}
	return c.pair
}

// times is when the files were changed. Whoever renews them writes one after the
// other, so that between the two they do not belong together.
func (c *Certificate) times() (changed [2]time.Time, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return changed, err
		}
		changed[i] = info.ModTime()
	}
	return changed, nil
}

func (c *Certificate) load() (err error) {
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
