package main

import (
	"crypto/x509"
	"net"
	"os"
	"testing"

	"hoptech.co.nz/flashd/internal/config"
)

// at is a listener with that address.
type at struct {
	net.Listener
	*net.TCPAddr
}

func (a at) Addr() net.Addr { return a.TCPAddr }

// The address in the log is one that a person can open.
func TestAddressOfTheBoard(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{DNSNames: []string{"*.example", "jig-3.example"}, IPAddresses: []net.IP{net.IPv4(10, 1, 2, 3)}}
	for _, c := range []struct {
		listens string
		names   config.Names
		cert    *x509.Certificate
		want    string
	}{
		{"127.0.0.1", config.Names{"board.example"}, cert, "127.0.0.1:9470"},
		{"::1", nil, nil, "[::1]:9470"},
		{"::", config.Names{"board.example"}, cert, "board.example:9470"},
		{"::", config.Names{"fd00::1"}, nil, "[fd00::1]:9470"},
		{"0.0.0.0", nil, cert, "jig-3.example:9470"},
		{"::", nil, &x509.Certificate{IPAddresses: cert.IPAddresses}, "10.1.2.3:9470"},
		{"::", nil, &x509.Certificate{DNSNames: []string{"*.example"}}, machine + ":9470"},
	} {
		s := settings{Config: &config.Config{API: config.API{Names: c.names}}}
		l := at{TCPAddr: &net.TCPAddr{IP: net.ParseIP(c.listens), Port: 9470}}
		if got := s.hostPort(l, c.cert); got != c.want {
			t.Errorf("on %s with the names %v: %s, want %s", c.listens, c.names, got, c.want)
		}
	}
}
