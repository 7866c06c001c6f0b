package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveTLS gives the station a certificate that is good for so long, from an hour ago.
func (p *patient) serveTLS(t *testing.T, good time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := p.now.Add(-time.Hour)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: from.Add(good)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}} {
		p.file(t, name, string(pem.EncodeToMemory(block)))
	}
	p.API.CertFile, p.API.KeyFile = filepath.Join(p.root, "tls.crt"), filepath.Join(p.root, "tls.key")
}

// Doctor finds all for which serve would not start.
func TestDoctorChecksTheAPI(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name  string
		ail   func(*testing.T, *patient)
		want  grade
		words string
	}{
		{"neither", func(*testing.T, *patient) {}, good, "plain HTTP"},
		{"no token", func(_ *testing.T, p *patient) { p.API.TokenFile = filepath.Join(p.root, "none") }, bad, "the token of the API"},
		{"short token", func(t *testing.T, p *patient) {
			p.file(t, "token", "short")
			p.API.TokenFile = filepath.Join(p.root, "token")
		}, bad, "at least 20"},
		{"secret of the service", func(_ *testing.T, p *patient) { p.API.TokenFile = serviceSecrets + "api-token" }, doubt, "only the service"},
		{"certificate", func(t *testing.T, p *patient) { p.serveTLS(t, 90*day) }, good, "HTTPS"},
		{"no certificate", func(t *testing.T, p *patient) { p.serveTLS(t, day); p.API.CertFile += ".old" }, bad, "TLS certificate"},
		{"about to expire", func(t *testing.T, p *patient) { p.serveTLS(t, 7*day) }, doubt, "expires"},
		{"expired", func(t *testing.T, p *patient) { p.serveTLS(t, 90*day); p.now = p.now.Add(90 * day) }, bad, "expired"},
		{"not yet good", func(t *testing.T, p *patient) { p.serveTLS(t, 90*day); p.now = p.now.Add(-day) }, bad, "only good from"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPatient(t)
			tt.ail(t, p)
			f := checkAPI(t.Context(), p)
			if f.grade != tt.want || !strings.Contains(f.text, tt.words) || (f.grade == good) != (f.advice == "") {
				t.Errorf("got %+v, want %s with %q", f, tt.want, tt.words)
			}
		})
	}
}
