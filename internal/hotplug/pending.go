package hotplug

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// longWait is how long a board may be unusable before people are told: udev has long
// done its part by then.
const longWait = 2 * time.Second

// wait is about something that is there and cannot be used yet.
type wait struct {
	device Device
	why    error // it cannot
	since  time.Time
	told   bool // that it takes long
}

// sift returns the usable ones of devices by path and remembers the others as
// pending.
func (w *watcher) sift(devices []Device) map[string]Device {
	usable, pending := map[string]Device{}, map[string]*wait{}
	for _, d := range devices {
		why := w.unusable(d)
		if why == nil {
			usable[d.Path] = d
			continue
		}
		p := w.pending[d.Path]
		if p == nil || p.device.Address != d.Address {
			p = &wait{since: time.Now()}
		}
		p.device, p.why = d, why
		pending[d.Path] = p
		if !p.told && time.Since(p.since) >= longWait {
			p.told = true
			w.opts.Log.Warn("what is plugged in cannot be used", "path", d.Path, "id", d.ID().String(), "tty", d.TTY, "reason", why.Error())
		}
	}
	w.pending = pending
	return usable
}

// unusable returns why no use can be made of d yet, or nil.
func (w *watcher) unusable(d Device) error {
	if err := w.opts.Refuse(d); err != nil {
		return err
	}
	if d.TTY == "" {
		return errNoTTY
	}
	return w.opts.Usable(d.TTY)
}

var errNoTTY = errors.New("no driver has made a tty for it")

// forbidden returns why no board can be used although there are some: this process
// lacks the permission. What one board lacks is that board's trouble.
func (w *watcher) forbidden(usable map[string]Device) error {
	if len(usable) > 0 {
		return nil
	}
	for _, p := range w.pending {
		if p.told && errors.Is(p.why, fs.ErrPermission) {
			return fmt.Errorf("no board can be opened (%s: %w)", p.device.TTY, p.why)
		}
	}
	return nil
}

// mayOpen reports why this process may not read and write the node at tty.
// Without udev a node is root's; with it the group follows some 50 ms after
// the tty has appeared.
func mayOpen(tty string) error {
	return unix.Faccessat(unix.AT_FDCWD, tty, unix.R_OK|unix.W_OK, unix.AT_EACCESS)
}
