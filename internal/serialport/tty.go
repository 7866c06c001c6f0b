package serialport

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
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
