package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// SocketName is the name of the control socket in the state directory.
const SocketName = "flashd.sock"

var (
	// ErrNoDaemon is returned when no flashd listens in the state directory.
	ErrNoDaemon = errors.New("no flashd is running on this state directory")
	// ErrDaemonRuns is returned when another flashd listens there already.
	ErrDaemonRuns = errors.New("another flashd is running on this state directory")
)

// ListenUnix listens on the control socket in the state directory, which only
// its owner may open. It takes the place of a socket on which nobody listens
// any more, and returns ErrDaemonRuns if somebody does.
func ListenUnix(stateDir string) (net.Listener, error) {
	dir, err := os.Open(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l, err := listenIn(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control socket %s: %w", filepath.Join(stateDir, SocketName), err), dir.Close())
	}
	return &socketListener{l, dir}, nil
}

func listenIn(dir *os.File) (net.Listener, error) {
	if err := removeStale(dir); err != nil {
		return nil, err
	}
	// The mode is set before the bind, so that at no time anybody else can open it.
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }), err)
	}}
	return private.Listen(context.Background(), "unix", socketIn(dir))
}

// removeStale removes a socket that a killed flashd left behind.
func removeStale(dir *os.File) error {
	path := socketIn(dir)
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something else of that name: move it away")
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(ErrDaemonRuns, conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// socketIn names the socket through the open directory: an address may be no
// longer than 107 bytes, and the path of a state directory may.
func socketIn(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), SocketName)
}

// socketListener keeps the directory open, since closing a unix listener
// removes the socket under the name that it was bound to.
type socketListener struct {
	net.Listener
	dir *os.File
}

func (l *socketListener) Close() error {
	return errors.Join(l.Listener.Close(), l.dir.Close())
}

// dialUnix connects to the control socket in the state directory.
func dialUnix(ctx context.Context, stateDir string) (net.Conn, error) {
	dir, err := os.Open(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoDaemon
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socketIn(dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNoDaemon
	}
	return conn, err
}
