package serialport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher"
)

const (
	// startBaud is the rate of a port that was just opened. ESP ROM loaders
	// find the rate from the first SYNC and must not be met faster.
	startBaud = 115200

	// readSlice is how long one read of the kernel waits for bytes, and so how
	// long it may go on when the port is closed. It is the shortest that there
	// is: VTIME counts tenths of a second.
	readSlice = vtimeUnit
	vtimeUnit = 100 * time.Millisecond

	// ioctlLimit is how long a modem line or rate change may take. They take
	// about 1 ms; cp210x holds them for 5 s when the device goes away in the
	// middle of one.
	ioctlLimit = time.Second

	// goneLimit is how long the kernel has to hang up the tty after an I/O
	// error, before the error counts as one of the line. It takes 10 to 60 ms.
	goneLimit = 100 * time.Millisecond

	// drainLimit is how long Close waits for bytes still to be sent. Without
	// it the kernel's own close would wait for up to 30 s.
	drainLimit = 300 * time.Millisecond

	// closeLimit is how long closing may then take: a readSlice, but where a
	// device takes no bytes and a write is stuck in the kernel.
	closeLimit = 500 * time.Millisecond
)

// tty is a serial device of this machine.
type tty struct {
	path   string
	bytes  *serial.Port    // moves the bytes
	ctl    *os.File        // the second descriptor: lines, rate, locks
	raw    syscall.RawConn // of ctl
	input  input
	closed chan struct{}
	once   sync.Once
}

// openTTY opens path, giving up when ctx ends: a wedged USB bridge can hold an
// open for seconds.
func openTTY(ctx context.Context, path string) (*tty, error) {
	type result struct {
		t   *tty
		err error
	}
	opened := make(chan result, 1)
	go func() {
		t, err := openTTYNow(path)
		opened <- result{t, err}
	}()
	select {
	case r := <-opened:
		return r.t, r.err
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.err == nil {
				_ = r.t.Close() // nobody is left to be told
			}
		}()
		return nil, fmt.Errorf("open %s: %w", path, context.Cause(ctx))
	}
}

func openTTYNow(path string) (_ *tty, err error) {
	ctl, err := openControl(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = ctl.Close() // the first error says more
		}
	}()
	raw, err := ctl.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := lock(raw, path); err != nil {
		return nil, err
	}
	// Before TIOCEXCL, which refuses every later open, our own included.
	bytes, err := openBytes(raw, path)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := exclude(raw, path); err != nil {
		return nil, errors.Join(openError(path, err), bytes.Close())
	}
	lowLatency(raw)
	t := &tty{path: path, bytes: bytes, ctl: ctl, raw: raw, closed: make(chan struct{})}
	t.input.chunks = make(chan []byte)
	go t.pump()
	return t, nil
}

// openControl opens the second descriptor. It is non-blocking for the moment
// only, so that the open waits for no carrier: what is blocking stays out of
// the runtime's poller.
func openControl(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		_ = unix.Close(fd) // nothing was written to it
		if errors.Is(err, unix.ENOTTY) {
			return nil, fmt.Errorf("open %s: not a serial port", path)
		}
		return nil, openError(path, err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		_ = unix.Close(fd) // nothing was written to it
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openError puts an error of open(2) into a sentence.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return busy(path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("open %s: %w; install deploy/60-flashd.rules and add this user to the group flashd", path, err)
	case isGone(err), errors.Is(err, unix.EIO) && vanishes(path):
		return &DetachedError{Port: path, Err: err}
	case errors.Is(err, unix.EIO), errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.EPROTO), errors.Is(err, unix.EPIPE):
		return fmt.Errorf("open %s: %w: the device does not answer its driver: %w", path, flasher.IO, err)
	default:
		return fmt.Errorf("open %s: %w", path, err)
	}
}

// vanishes reports whether the node at path goes away: an open that was under
// way when the cable was pulled fails a moment before the kernel removes it.
func vanishes(path string) bool {
	for deadline := time.Now().Add(goneLimit); ; time.Sleep(goneLimit / 20) {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// Write implements flasher.Port. It returns when the kernel has taken all of b,
// the device is gone, or the port is closed.
func (t *tty) Write(b []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	// A device that takes no bytes blocks the write in the kernel, where Close
	// cannot reach it; so a write that is given up keeps its own copy.
	own := slices.Clone(b)
	written := make(chan result, 1)
	go func() {
		n, err := t.bytes.Write(own)
		written <- result{n, err}
	}()
	select {
	case r := <-written:
		if r.err != nil {
			return r.n, t.fail("write", r.err)
		}
		return r.n, nil
	case <-t.closed:
		return 0, t.fail("write", os.ErrClosed)
	}
}

// SetBaud implements flasher.Port. Any rate is asked for; a rate that the
// adapter cannot make within 3 % is an error.
func (t *tty) SetBaud(baud int) error {
	if baud <= 0 {
		return fmt.Errorf("%s: %d baud is not a rate", t.path, baud)
	}
	return t.control("set the baud rate", func(fd int) error { return setBaud(fd, baud) })
}

// SetLines implements flasher.Port.
func (t *tty) SetLines(dtr, rts bool) error {
	return t.control("set DTR and RTS", func(fd int) error { return setLines(fd, dtr, rts) })
}

// Close implements flasher.Port. It ends a Read or Write under way and frees
// the port for others. What was written is still sent if the device takes it
// promptly. An error means that the kernel still holds the port; it lets go
// when the device is unplugged or reset.
func (t *tty) Close() error {
	err := t.fail("close", os.ErrClosed)
	t.once.Do(func() {
		close(t.closed)
		t.drain()
		err = within(closeLimit, func() error { return errors.Join(t.ctl.Close(), t.bytes.Close()) })
		if err != nil {
			err = fmt.Errorf("close %s: %w", t.path, err)
		}
	})
	return err
}

// drain waits for the bytes still to be sent, then drops the rest.
func (t *tty) drain() {
	// An error means that there is nothing to drain or nobody to drain to.
	_ = within(drainLimit, func() error { return onFD(t.raw, drain) })
	_ = within(drainLimit, func() error { return onFD(t.raw, dropOutput) })
}

// control runs an ioctl on the second descriptor. One that hangs is abandoned.
func (t *tty) control(op string, f func(fd int) error) error {
	err := within(ioctlLimit, func() error { return onFD(t.raw, f) })
	if err != nil {
		return t.fail(op, err)
	}
	return nil
}

// fail tells a device that is gone from a line that failed.
func (t *tty) fail(op string, err error) error {
	switch {
	case t.isClosed() || errors.Is(err, os.ErrClosed):
		return fmt.Errorf("%s %s: %w", op, t.path, os.ErrClosed)
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%s: this port cannot %s: %w", t.path, op, errors.ErrUnsupported)
	case isGone(err), t.hungUp(goneLimit):
		return &DetachedError{Port: t.path, Err: err}
	default:
		return fmt.Errorf("%s %s: %w", op, t.path, err)
	}
}

func (t *tty) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

// hungUp reports whether the kernel has hung up the tty, waiting up to limit
// for it to do so. While an ioctl hangs, the asking may hang, too.
func (t *tty) hungUp(limit time.Duration) bool {
	gone := make(chan bool, 1)
	err := within(limit+ioctlLimit, func() error {
		return onFD(t.raw, func(fd int) error {
			gone <- poll(fd, 0, limit)&(unix.POLLHUP|unix.POLLNVAL) != 0
			return nil
		})
	})
	return err == nil && <-gone
}

// isGone reports whether err can only mean that the device went away.
func isGone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ESHUTDOWN)
}
