package station

import (
	"context"
	"errors"
	"sync"
	"time"
)

// keepEvery is how often what could not be kept is tried again.
const keepEvery = 5 * time.Second

// A keeper is where something has to be kept before a unit goes on: the record, or a
// folder. A full disk has room again some day: until then the unit is left as it is, so
// that nothing is lost that was done.
type keeper struct {
	hinders hindrance
	trouble string           // what is wrong while nothing can be kept
	hint    string           // for the people at the slot
	cure    string           // for those who look after the line
	passes  func(error) bool // whether a failure may pass by itself
	patient bool             // units wait also where the line winds down

	mu      sync.Mutex
	waiting int  // units whose writes are tried again and again
	failing bool // what was tried last
}

// insist writes to k until it is written or ctx ends. held shows the slot's people
// that the unit waits.
//
// A run of so many units does not wait: somebody waits for its end.
func (a *attempt) insist(ctx context.Context, k *keeper, write func() error, held func()) error {
	err := write()
	if err == nil {
		k.works(a.Station, false)
		return nil
	}
	if !k.passes(err) || a.Units > 0 {
		return err
	}
	held()
	k.fails(a.Station, err)
	if err := a.tryOn(ctx, k, write, err); err != nil {
		k.givesUp(a.Station)
		return err
	}
	k.works(a.Station, true)
	a.board.say(a.slot.Slot, "", "")
	return nil
}

// tryOn writes again and again what has failed with err.
func (a *attempt) tryOn(ctx context.Context, k *keeper, write func() error, err error) error {
	impatient := a.impatient
	if k.patient {
		impatient = nil
	}
	for err != nil && k.passes(err) {
		select {
		case <-time.After(keepEvery):
			err = write()
		case <-impatient:
			return errStopped
		case <-ctx.Done():
			return err
		}
	}
	return err
}

// keep is insist for a unit under way.
func (a *attempt) keep(ctx context.Context, k *keeper, write func() error) error {
	return a.insist(ctx, k, write, func() { a.board.say(a.slot.Slot, sentence(k.trouble), k.hint) })
}

// fails takes a write that has failed, and tells people if it is the first.
func (k *keeper) fails(s *Station, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting++
	if k.failing {
		return
	}
	k.failing = true
	s.hinder(k.hinders, errors.New(sentence(k.trouble)+" "+k.cure+" "+sentence(err.Error())))
	s.Log.Error(k.trouble+"; until it can, units wait", "err", err)
}

// works takes a write that went well, and tells people if that was the last to wait.
func (k *keeper) works(s *Station, waited bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if waited {
		k.waiting--
	}
	if !k.failing || k.waiting > 0 {
		return
	}
	k.failing = false
	s.hinder(k.hinders, nil)
	s.Log.Info("units go on", "after", k.trouble)
}

// givesUp takes a write that nobody wants any more. Whether the record can be written
// by now the next unit tells; a folder that none waits for keeps no line waiting, and
// the next that wants it may be weeks away.
func (k *keeper) givesUp(s *Station) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
	if k.patient || k.waiting > 0 {
		return
	}
	k.failing = false
	s.hinder(k.hinders, nil)
	s.Log.Warn("no unit waits any more", "after", k.trouble)
}
