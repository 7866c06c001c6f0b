package serialport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher"
)

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
			return nil, fmt.Errorf("open %s: not a serial port: %w", path, err)
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
