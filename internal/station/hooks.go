package station

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// hooksAtOnce bounds how many hooks run at once: each may be a process.
	hooksAtOnce = 8
	// hooksWaiting bounds how many a slot has waiting. A hook that is slower
	// than people who change boards falls behind; what it would be told last
	// is worth most.
	hooksWaiting = 8
	// hooksGrace is how long hooks get to end when the station is stopped.
	hooksGrace = 5 * time.Second
)

// hooks tell somebody outside what happens, one thing after the other for each
// slot. Nothing waits for them.
type hooks struct {
	hook   func(context.Context, Happening)
	log    *slog.Logger
	atOnce *semaphore.Weighted
	ctx    context.Context // of all that run
	cancel context.CancelFunc
	all    sync.WaitGroup // one for each slot with something to be told

	mu      sync.Mutex
	waiting map[string][]Happening // by path; there is an entry while the slot's turn lasts
	closed  bool                   // nothing is told any more
}

// newHooks prepares the calls of hook; nil: there are none.
func newHooks(hook func(context.Context, Happening), log *slog.Logger) *hooks {
	h := &hooks{hook: hook, log: log, atOnce: semaphore.NewWeighted(hooksAtOnce), waiting: map[string][]Happening{}}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// tell has the hook called when it is done with what it was told before about
// the same slot.
func (h *hooks) tell(what Happening) {
	if h.hook == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	queue, busy := h.waiting[what.Path]
	if len(queue) == hooksWaiting {
		h.log.Warn("the hooks of a slot are too slow: one is left out", "slot", what.Slot, "event", queue[0].Event)
		queue = slices.Delete(queue, 0, 1)
	}
	h.waiting[what.Path] = append(queue, what)
	if !busy {
		h.all.Go(func() { h.tellAll(what.Path) })
	}
}

// tellAll works off what a slot has waiting.
func (h *hooks) tellAll(path string) {
	for {
		what, ok := h.next(path)
		if !ok {
			return
		}
		if h.atOnce.Acquire(h.ctx, 1) != nil {
			h.log.Warn("a hook is left out because the station stops", "slot", what.Slot, "event", what.Event)
			continue
		}
		h.hook(h.ctx, what)
		h.atOnce.Release(1)
	}
}

func (h *hooks) next(path string) (what Happening, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	queue := h.waiting[path]
	if len(queue) == 0 {
		delete(h.waiting, path)
		return Happening{}, false
	}
	h.waiting[path] = queue[1:]
	return queue[0], true
}

// close waits for the hooks, but not for long.
func (h *hooks) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	impatience := time.AfterFunc(hooksGrace, h.cancel)
	h.all.Wait()
	impatience.Stop()
	h.cancel()
}
