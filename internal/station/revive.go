package station

import (
	"context"
	"errors"
	"time"

	"hoptech.co.nz/flashd/flasher"
)

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
	if a.ResetPort == nil || a.revived || ctx.Err() != nil { // then nobody listens any more
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
