package station

import (
	"context"
	"sync"
	"time"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// shift is a station at work: it sends what comes and goes to the slots and, when no
// further unit is to be begun, waits for those that are under way.
type shift struct {
	station *Station
	events  <-chan hotplug.Event
	accept  context.Context // ends when no further unit is begun
	work    context.Context // ends when those under way are abandoned, and nobody looks at the slots any more
	stop    context.CancelFunc
	cancel  context.CancelCauseFunc // of work
	busy    sync.WaitGroup          // slots that may begin a unit, or have one under way
	loops   sync.WaitGroup          // slots that are looked at
}

func (s *Station) beginShift(ctx context.Context, events <-chan hotplug.Event) *shift {
	sh := &shift{station: s, events: events}
	sh.accept, sh.stop = context.WithCancel(ctx)
	sh.work, sh.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return sh
}

// end lets go of the slots. No unit is under way any more.
func (sh *shift) end() {
	sh.stop()
	sh.cancel(nil)
	sh.loops.Wait()
}

// takeUnits works on what comes until nothing further is to be begun. The error is
// why the line has stopped.
func (sh *shift) takeUnits(ctx context.Context) error {
	// A daemon goes on showing why it has stopped; a run of so many units ends.
	var halted <-chan struct{}
	if sh.station.Units > 0 {
		halted = sh.station.hold.stopped
	}
	for {
		select {
		case event, ok := <-sh.events:
			if !ok {
				return nil
			}
			sh.follow(event)
		case <-sh.station.quota.done:
			return nil
		case <-halted:
			return sh.station.Ready()
		case <-ctx.Done():
			return nil
		}
	}
}

// follow tells a slot what has come or gone there.
func (sh *shift) follow(event hotplug.Event) {
	slot, isNew := sh.station.slots.find(event.Device.Path)
	if slot == nil {
		return
	}
	if isNew && sh.accept.Err() == nil {
		sh.busy.Add(1)
		sh.loops.Go(func() { slot.loop(sh.accept, sh.work, sh.busy.Done) })
	}
	slot.notice(event)
}

// windDown waits until no unit is under way. After Grace it calls enough, and when
// the station is told to abandon them it does.
func (sh *shift) windDown(enough func()) {
	sh.stop()
	ended := make(chan struct{})
	go func() {
		sh.busy.Wait()
		close(ended)
	}()
	grace, abandoned := time.After(sh.station.Grace), sh.station.abandon
	for {
		select {
		case event, ok := <-sh.events:
			if !ok {
				sh.events = nil
				continue
			}
			sh.follow(event)
		case <-grace:
			enough()
		case <-abandoned:
			abandoned = nil
			sh.abandon()
		case <-ended:
			return
		}
	}
}

// abandon ends the attempts under way.
func (sh *shift) abandon() { sh.cancel(errStopped) }

// losePatience ends those that wait for something else than their unit.
func (sh *shift) losePatience() { close(sh.station.impatient) }
