package serialport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"golang.org/x/sys/unix"
)

// socket is a chip behind a TCP connection that carries nothing but its bytes,
// such as an emulator or ser2net in raw mode.
type socket struct {
	target string
	conn   net.Conn
}

func openSocket(ctx context.Context, u *url.URL) (*socket, error) {
	if u.RawQuery != "" {
		return nil, fmt.Errorf("port %q: socket:// takes no options", u)
	}
	conn, err := dial(ctx, u)
	if err != nil {
		return nil, err
	}
	return &socket{target: u.String(), conn: conn}, nil
}

func dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u, err)
	}
	return conn, nil
}

// Read implements flasher.Port.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.conn.Read(b)
	return n, netError(s.target, "read", err)
}

// Write implements flasher.Port.
func (s *socket) Write(b []byte) (int, error) {
	n, err := s.conn.Write(b)
	return n, netError(s.target, "write", err)
}

// SetBaud implements flasher.Port: a socket has no rate.
func (*socket) SetBaud(int) error { return nil }

// SetLines implements flasher.Port: a socket has no lines.
func (s *socket) SetLines(bool, bool) error {
	return fmt.Errorf("%s: this port cannot set DTR and RTS: %w", s.target, errors.ErrUnsupported)
}

// Close implements flasher.Port.
func (s *socket) Close() error { return netError(s.target, "close", s.conn.Close()) }

// netError turns the end of a connection into a detached device, and a
// connection that we closed into os.ErrClosed, as a tty has it.
func netError(target, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("%s %s: %w", op, target, os.ErrClosed)
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE),
		errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.EHOSTUNREACH):
		return &DetachedError{Port: target, Err: err}
	default:
		return fmt.Errorf("%s %s: %w", op, target, err)
	}
}
