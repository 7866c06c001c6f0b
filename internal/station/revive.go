package station

import (
	"context"
	"time"
)

// resetLag is how long the USB takes to come to rest after a reset of a port:
// the driver lets go and takes hold again at once, the watcher waits for
// quiet and lists.
const resetLag = time.Second

// revive resets the port of a unit that gives no sync: a bridge may have lost
// its way, and else would spoil one unit after the other. It is done once an
// insertion, and reports whether it may have helped.
func (a *attempt) revive(ctx context.Context) bool {
	if a.ResetPort == nil || a.revived {
		return false
	}
	a.revived = true
	a.log.Warn("no answer from the chip: resetting its USB port", "path", a.port.Path, "tty", a.port.TTY)
	if err := a.ResetPort(ctx, a.port); err != nil {
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
