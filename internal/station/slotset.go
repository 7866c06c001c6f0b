package station

import "sync"

// slotSet finds slots by their path.
type slotSet struct {
	station *Station
	fixed   bool // only the configured slots count

	mu     sync.Mutex
	byPath map[string]*slot
	noSlot map[string]bool // where boards were met, and left alone
}

func (s *Station) newSlots() *slotSet {
	set := &slotSet{station: s, byPath: map[string]*slot{}, noSlot: map[string]bool{}, fixed: len(s.Slots) > 0}
	for _, c := range s.Slots {
		set.byPath[c.Path] = set.newSlot(c)
	}
	return set
}

func (set *slotSet) newSlot(s Slot) *slot {
	return &slot{Slot: s, station: set.station, again: make(chan struct{}, 1)}
}

// find returns the slot at path, and whether it is used for the first time.
// Devices elsewhere are none of the station's business.
func (set *slotSet) find(path string) (_ *slot, isNew bool) {
	set.mu.Lock()
	defer set.mu.Unlock()
	sl, ok := set.byPath[path]
	if !ok {
		if set.fixed {
			set.ignore(path)
			return nil, false
		}
		sl = set.newSlot(Slot{Path: path, Name: path})
		set.byPath[path] = sl
		set.station.board.add(sl.Slot)
	}
	if sl.presence == nil {
		sl.presence = newPresence()
		return sl, true
	}
	return sl, false
}

// ignore notes, once, that there is a board at path that is left alone.
func (set *slotSet) ignore(path string) {
	if !set.noSlot[path] {
		set.noSlot[path] = true
		set.station.Log.Info("not a slot", "path", path)
	}
}

// retry begins the unit that lingers at path once more, unless the line has stopped:
// there it goes on lingering, so that people see it leave.
func (set *slotSet) retry(path string) {
	if set.station.hold.reason(stopped) != nil {
		return
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	if sl := set.byPath[path]; sl != nil {
		select {
		case sl.again <- struct{}{}:
		default: // told already
		}
	}
}
