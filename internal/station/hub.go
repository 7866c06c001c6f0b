package station

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// hubs has the units behind one USB hub take turns on the wire: all that hang
// on a full-speed hub share its 12 Mbit/s.
type hubs struct {
	most int // units behind one hub that are written at once; 0: all

	mu    sync.Mutex
	turns map[string]*semaphore.Weighted // by path of the hub
}

func newHubs(most int) *hubs { return &hubs{most: most, turns: map[string]*semaphore.Weighted{}} }

// of returns the turns of the hub that a slot's path is a port of. Whoever asks
// first gets one first.
func (h *hubs) of(path string) *semaphore.Weighted {
	h.mu.Lock()
	defer h.mu.Unlock()
	hub := hotplug.Hub(path)
	if h.turns[hub] == nil {
		h.turns[hub] = semaphore.NewWeighted(int64(h.most))
	}
	return h.turns[hub]
}

// takeTurn waits until the unit may use its hub's bandwidth, and returns what
// gives the turn back. The unit is known and bound to the attempt by then, so
// that taking it out ends the waiting, and nothing of it has been changed.
func (a *attempt) takeTurn(ctx context.Context) (giveBack func(), err error) {
	if a.hubs.most == 0 {
		return func() {}, nil
	}
	turns := a.hubs.of(a.slot.Path)
	giveBack = func() { turns.Release(1) }
	start := time.Now()
	defer func() { a.metrics.hubWait.Observe(time.Since(start).Seconds()) }()
	if turns.TryAcquire(1) { // not past others: it fails while anybody waits
		return giveBack, nil
	}
	others := "1 unit on this hub is"
	if a.hubs.most > 1 {
		others = fmt.Sprintf("%d units on this hub are", a.hubs.most)
	}
	a.board.say(a.slot.Slot, "Waiting for its turn: "+others+" being written.", "Leave the board in its slot.")
	defer a.board.say(a.slot.Slot, "", "")
	if turns.Acquire(ctx, 1) != nil {
		return nil, context.Cause(ctx)
	}
	a.log.Debug("waited for its turn on the hub", "took", time.Since(start))
	return giveBack, nil
}
