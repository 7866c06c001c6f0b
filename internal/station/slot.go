package station

import (
	"context"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// slot is one nest of the fixture.
type slot struct {
	Slot
	station  *Station
	presence *presence     // nil until something was seen there
	again    chan struct{} // receives when the unit in the slot may be begun once more

	errorsInARow int // see Happening
}

// loop works on one unit after the other until accept ends, and then calls idle. It
// shows when the unit leaves that is in the slot then, until work ends.
func (sl *slot) loop(accept, work context.Context, idle func()) {
	last := sl.workOn(accept, work)
	idle()
	if last == nil {
		return
	}
	if _, err := sl.presence.until(work, other(last.port)); err == nil {
		sl.left(last)
	}
}

// workOn works on one unit after the other. accept ends when no unit is to be
// begun any more, work when those under way are to be abandoned. It returns the
// attempt whose unit is in the slot at the end, nil if there is none.
func (sl *slot) workOn(accept, work context.Context) *attempt {
	for {
		if _, err := sl.presence.until(accept, present); err != nil {
			return nil
		}
		if !sl.station.quota.take(accept) {
			return nil
		}
		// The unit may have gone, or been changed, while the quota was full.
		device, _ := sl.presence.get()
		if device == nil || sl.station.hold.reason(stopped) != nil {
			sl.station.quota.settle(false)
			if device != nil { // the line has stopped: nothing to do here but wait
				<-accept.Done()
				return nil
			}
			continue
		}
		select {
		case <-sl.again: // said before this attempt, which is what it asked for
		default:
		}
		a := newAttempt(sl, *device)
		sl.station.quota.settle(a.open(accept) && a.run(work))
		if !sl.linger(accept, a) {
			return a
		}
	}
}

// notice takes in what happens in the slot.
func (sl *slot) notice(event hotplug.Event) {
	if event.Kind == hotplug.Unusable {
		sl.station.board.useless(sl.Slot, event.Why)
		return
	}
	sl.station.board.cleared(sl.Slot)
	sl.presence.set(event)
}

// linger shows how the attempt ended until the unit is gone, or may be begun
// once more, and reports whether ctx goes on. The port may be another by now than
// it was before the reboot.
func (sl *slot) linger(ctx context.Context, a *attempt) bool {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	gone := make(chan error, 1)
	go func() {
		_, err := sl.presence.until(ctx, other(a.port))
		gone <- err
	}()
	select {
	case err := <-gone:
		if err == nil {
			sl.left(a)
		}
		return err == nil
	case <-sl.again:
		return true
	}
}

// left shows that the attempt's unit is gone.
func (sl *slot) left(a *attempt) {
	sl.station.board.left(sl.Slot)
	a.tell(HookDetach)
}
