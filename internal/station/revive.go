package station

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
)

// openLimit is how long a port may take to open. Opening takes milliseconds;
// where it takes longer, a bridge does not answer the kernel.
const openLimit = 5 * time.Second

// openPort opens the unit's port, in time for it to be reset where that hangs.
func (a *attempt) openPort(ctx context.Context) (flasher.Port, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openLimit, fmt.Errorf("%w: the port did not open within %v", flasher.IO, openLimit))
	defer cancel()
	port, err := a.Open(ctx, a.port)
	if err != nil {
		return nil, a.portFault(err)
	}
	a.missing = missing{}
	return port, nil
}

// portFault is for a port that cannot be opened although it is there. One that is
// missing has left the USB with a reset, until it has been so for too long.
func (a *attempt) portFault(err error) error {
	var k flasher.Kind
	switch {
	case errors.As(err, &k):
		return err
	case errors.Is(err, fs.ErrNotExist) && a.missing.lately(a.port):
		return fmt.Errorf("%w: %w", flasher.Detached, err)
	}
	return &fault{kindPort, fmt.Errorf("the port cannot be opened: %w", err)}
}

// missing is since when the port of a device is not there, although nobody has told
// that the device has gone: where nothing watches the USB nobody does.
type missing struct {
	device hotplug.Device
	since  time.Time
}

// lately reports whether the port of d may still come back.
func (m *missing) lately(d hotplug.Device) bool {
	if m.since.IsZero() || m.device != d {
		*m = missing{d, time.Now()}
	}
	return time.Since(m.since) < absence
}

// errResetTried goes with what a reset of the port has not helped against.
var errResetTried = errors.New("resetting the USB port did not help")

// isDead reports whether err is of a port or chip that may have lost its way.
func isDead(err error) bool { return errors.Is(err, flasher.NoSync) || errors.Is(err, flasher.IO) }

// resetLag is how long the USB takes to come to rest after a reset of a port:
// the driver lets go and takes hold again at once, the watcher waits for
// quiet and lists.
const resetLag = time.Second

// revive resets the port of a unit that gives no sync, or whose port hangs: a
// bridge may have lost its way, and else would spoil one unit after the other.
// It is done once an insertion, and reports whether the unit may be asked
// again, once it is there.
func (a *attempt) revive(ctx context.Context) bool {
	if a.ResetPort == nil || a.revived {
		return false
	}
	a.revived = true
	a.log.Warn("no answer: resetting its USB port", "path", a.port.Path, "tty", a.port.TTY)
	err := a.ResetPort(ctx, a.port)
	if errors.Is(err, flasher.Detached) {
		return true // that is why nothing answered; it may come back
	}
	if err != nil {
		a.log.Warn("the USB port cannot be reset", "path", a.port.Path, "err", err)
		return false
	}
	select {
	case <-time.After(resetLag):
		return true
	case <-ctx.Done():
		return false
	}
}
