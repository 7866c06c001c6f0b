package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate for localhost, and for those host names and
// IP addresses, with that number.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64, changed time.Time, names ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		keyFile: {Type: "PRIVATE KEY", Bytes: private}, certFile: {Type: "CERTIFICATE", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	start := time.Now().Add(-time.Minute)
	writeCertificate(t, certFile, keyFile, 1, start)
	var log bytes.Buffer
	cert, err := LoadCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, cfg := newFake(t)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, tls.NewListener(plain, cert.TLS()), NewHandler(cfg))

	serial := func() int64 {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, // its number is looked at instead
		}}
		resp, err := client.Get("https://" + plain.Addr().String() + "/api/v1/status")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
			t.Errorf("%s over %s", resp.Status, resp.Proto)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	writeCertificate(t, certFile, keyFile, 2, start.Add(time.Second))
	if got := serial(); got != 2 {
		t.Errorf("certificate %d after it was renewed", got)
	}
	// Renewed one after the other, with somebody looking in between.
	newCert, newKey := filepath.Join(dir, "new.crt"), filepath.Join(dir, "new.key")
	writeCertificate(t, newCert, newKey, 3, start.Add(2*time.Second))
	for i, renewed := range [][2]string{{newCert, certFile}, {newKey, keyFile}} {
		if err := os.Rename(renewed[0], renewed[1]); err != nil {
			t.Fatal(err)
		}
		if got, want := serial(), int64(2+i); got != want {
			t.Errorf("certificate %d with %d of the two files renewed, want %d", got, i+1, want)
		}
	}
	if err := os.WriteFile(certFile, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 || !strings.Contains(log.String(), "cannot be used") {
		t.Errorf("certificate %d after a bad one; log: %s", got, &log)
	}

	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", plain.Addr().String(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}

	resp, err := http.Get("http://" + plain.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %s", resp.Status)
	}
}

func TestTLSNeedsBothFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, certFile, keyFile, 1, time.Now())
	loose := filepath.Join(dir, "loose.key") // others can read it
	writeCertificate(t, filepath.Join(dir, "loose.crt"), loose, 1, time.Now())
	if err := os.Chmod(loose, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{
		{certFile, filepath.Join(dir, "none")}, {filepath.Join(dir, "none"), keyFile}, {keyFile, certFile}, {filepath.Join(dir, "loose.crt"), loose},
	} {
		if _, err := LoadCertificate(pair[0], pair[1], slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "TLS certificate: ") {
			t.Errorf("%v: %v", pair, err)
		}
	}
}
