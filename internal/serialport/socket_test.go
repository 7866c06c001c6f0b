package serialport_test

import (
	"errors"
	"net"
	"os"
	"testing"

	"hoptech.co.nz/flashd/flasher"
)

// listen returns a server's address and a function that accepts one client.
func listen(t *testing.T) (addr string, accept func() net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, l)
	return l.Addr().String(), func() net.Conn {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return nil
		}
		closeAtEnd(t, c)
		return c
	}
}

func openSocket(t *testing.T) (flasher.Port, net.Conn) {
	t.Helper()
	addr, accept := listen(t)
	p := open(t, "socket://"+addr)
	return p, accept()
}

func TestSocketCarriesBytes(t *testing.T) {
	p, chip := openSocket(t)
	if _, err := p.Write([]byte{0xC0, 0xFF, 0x00}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := chip.Read(b); err != nil || string(b[:n]) != "\xC0\xFF\x00" {
		t.Errorf("got % x, %v", b[:n], err)
	}
	if _, err := chip.Write([]byte("OHAI")); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(b); err != nil || string(b[:n]) != "OHAI" {
		t.Errorf("got %q, %v", b[:n], err)
	}
}

func TestSocketHasNoRateAndNoLines(t *testing.T) {
	p, _ := openSocket(t)
	if err := p.SetBaud(921600); err != nil {
		t.Errorf("baud: %v", err)
	}
	if err := p.SetLines(true, false); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("lines: %v, want errors.ErrUnsupported", err)
	}
}

func TestSocketEndIsDetached(t *testing.T) {
	p, chip := openSocket(t)
	unplug(t, chip)
	_, err := p.Read(make([]byte, 1))
	wantDetached(t, err)
}

func TestSocketCloseEndsPendingRead(t *testing.T) {
	p, _ := openSocket(t)
	result := make(chan error)
	go func() { _, err := p.Read(make([]byte, 1)); result <- err }()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v, want os.ErrClosed", err)
	}
}
