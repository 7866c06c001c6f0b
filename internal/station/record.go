package station

import (
	"context"
	"errors"
	"sync"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// insistEvery is how often a write that the record did not take is tried again.
const insistEvery = 5 * time.Second

const (
	saysUnwritten = "The record cannot be written."
	hintUnwritten = "Leave the board in its slot and call the engineer: it goes on by itself when there is room on the disk."
)

// insist writes to the record until it is written or ctx ends. A full disk has
// room again some day: until then the unit is left as it is, so that nothing is
// lost that was done. held shows the slot's people that it waits.
//
// A run of so many units does not wait: somebody waits for its end.
func (a *attempt) insist(ctx context.Context, write func() error, held func()) error {
	err := write()
	if err == nil {
		a.recording.works(a.Station, false)
		return nil
	}
	if !errors.Is(err, jobs.ErrUnwritten) || a.Units > 0 {
		return err
	}
	held()
	a.recording.fails(a.Station, err)
	for errors.Is(err, jobs.ErrUnwritten) {
		select {
		case <-time.After(insistEvery):
			err = write()
		case <-ctx.Done():
			a.recording.givesUp()
			return err
		}
	}
	if err != nil {
		a.recording.givesUp()
		return err
	}
	a.recording.works(a.Station, true)
	a.board.say(a.slot.Slot, "", "")
	return nil
}

// sayUnwritten shows that a unit under way waits for the record.
func (a *attempt) sayUnwritten() { a.board.say(a.slot.Slot, saysUnwritten, hintUnwritten) }

// recording is whether the record could be written when that was last tried.
type recording struct {
	mu      sync.Mutex
	waiting int   // writes that are tried again and again
	trouble error // why one was not written; nil: all are
}

// reason returns why the record cannot be written, or nil.
func (r *recording) reason() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble
}

// fails takes a write that has failed, and tells people if it is the first.
func (r *recording) fails(s *Station, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting++
	if r.trouble != nil {
		return
	}
	r.trouble = err
	s.metrics.stopped.Set(1)
	s.board.hold(saysUnwritten + " Make room on the disk: units go on by themselves then. " + sentence(err.Error()))
	s.Log.Error("the record cannot be written; until it can, no unit is begun", "err", err)
}

// works takes a write that went well, and tells people if that was the last to wait.
func (r *recording) works(s *Station, waited bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if waited {
		r.waiting--
	}
	if r.trouble == nil || r.waiting > 0 {
		return
	}
	r.trouble = nil
	s.metrics.stopped.Set(0)
	s.board.hold("")
	s.Log.Info("the record can be written again")
}

// givesUp takes a write that nobody wants any more. That the record can be
// written is not known before the next one.
func (r *recording) givesUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
}
