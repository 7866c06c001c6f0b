package station

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/jobs"
)

// board holds what people see, and tells them when it changes.
type board struct {
	mu       sync.Mutex
	now      View // Slots, Held and the header; Totals come from tally
	tally    tally
	unusable map[string]bool // by path: what is there cannot be used, and the slot shows that
	watchers map[chan struct{}]bool
	metrics  *metrics
}

func newBoard(header View, slots []Slot, m *metrics) *board {
	b := &board{now: header, unusable: map[string]bool{}, watchers: map[chan struct{}]bool{}, metrics: m}
	b.tally.since = header.Started
	m.setFixture(slots)
	for _, s := range slots {
		b.now.Slots = append(b.now.Slots, emptySlot(s))
	}
	b.count()
	return b
}

func emptySlot(s Slot) SlotView {
	return SlotView{Name: s.Name, Path: s.Path, State: Empty, Since: time.Now()}
}

// add shows a slot that is not in the configuration, in the order of paths.
func (b *board) add(s Slot) {
	b.change(func() {
		b.now.Slots = append(b.now.Slots, emptySlot(s))
		slices.SortStableFunc(b.now.Slots, func(x, y SlotView) int { return hotplug.ComparePaths(x.Path, y.Path) })
	})
}

func (b *board) count() {
	states := map[SlotState]int{}
	for _, s := range b.now.Slots {
		states[s.State]++
	}
	b.metrics.setSlots(states)
}

func (b *board) slot(s Slot, f func(v *SlotView)) {
	b.change(func() {
		i := slices.IndexFunc(b.now.Slots, func(v SlotView) bool { return v.Path == s.Path })
		f(&b.now.Slots[i])
	})
}

func (b *board) begin(s Slot, attempt uint64) {
	b.slot(s, func(v *SlotView) {
		*v = SlotView{
			Name: v.Name, Path: v.Path, State: Working, Since: time.Now(), Attempt: attempt,
			LastUnit: v.LastUnit, LastWord: v.LastWord,
		}
	})
}

func (b *board) identified(s Slot, unit, chip string) {
	b.slot(s, func(v *SlotView) { v.Unit, v.Chip = unit, chip })
}

func (b *board) phase(s Slot, name string, progress float64) {
	b.slot(s, func(v *SlotView) { v.Phase, v.Progress = name, progress })
}

func (b *board) progress(s Slot, progress float64) {
	b.slot(s, func(v *SlotView) { v.Progress = progress })
}

// say shows what a unit under way waits for; "" when it goes on.
func (b *board) say(s Slot, message, advice string) {
	b.slot(s, func(v *SlotView) { v.Message, v.Advice = message, advice })
}

// rework shows that the unit in a slot is to be reworked, or how it is.
func (b *board) rework(path string, how Reworking) {
	b.slot(Slot{Path: path}, func(v *SlotView) { v.Rework = how })
}

// end shows how an attempt ended, until the unit is taken out.
func (b *board) end(s Slot, state SlotState, message, advice string) {
	b.slot(s, func(v *SlotView) {
		v.State, v.Since, v.Phase, v.Progress = state, time.Now(), "", 0
		v.Message, v.Advice = message, advice
	})
}

// finished shows a recorded attempt and counts it.
func (b *board) finished(r jobs.Attempt) {
	message, advice := passText(r), hintTakeOut
	if r.Failure != nil {
		message, advice = r.Failure.Text, r.Failure.Hint
	}
	b.end(Slot{Path: r.Path}, stateOf(r.Outcome), message, advice)
	b.change(func() { b.tally.add(r) })
}

// passText says what was done, and what was not: a rework leaves the release that the
// unit has, whichever one the line writes.
func passText(r jobs.Attempt) string {
	text := "The board is provisioned"
	switch {
	case r.Verdict == jobs.ReworkNVS && r.Firmware != nil:
		text = fmt.Sprintf("The board is reworked; its firmware is still that of release %s", r.Firmware.Release)
	case r.Verdict == jobs.ReworkNVS:
		text = "The board is reworked; its firmware was not touched"
	}
	if !r.BootChecked {
		text += "; it was not watched as it started"
	}
	return text + "."
}

func stateOf(o jobs.Outcome) SlotState {
	switch o {
	case jobs.Pass:
		return Passed
	case jobs.Fail:
		return Failed
	case jobs.Refused:
		return Refused
	default:
		return Errored
	}
}

// left shows that the unit is gone.
func (b *board) left(s Slot) {
	b.slot(s, func(v *SlotView) {
		*v = SlotView{
			Name: v.Name, Path: v.Path, State: Empty, Since: time.Now(),
			LastUnit: v.Unit, LastWord: v.State,
		}
	})
}

// useless shows why no use can be made of what is in a slot. Where an attempt
// has something to show, that stays.
func (b *board) useless(s Slot, why error) {
	const advice = "Take it out and put it in again; if that does not help, call the engineer: flashd ports tells more."
	b.slot(s, func(v *SlotView) {
		if v.State == Empty {
			b.unusable[s.Path] = true
			v.State, v.Since = Errored, time.Now()
			v.Message, v.Advice = sentence("what is in the slot cannot be used: "+why.Error()), advice
		}
	})
}

// cleared shows that what could not be used is gone, or can be.
func (b *board) cleared(s Slot) {
	b.slot(s, func(v *SlotView) {
		if b.unusable[s.Path] {
			delete(b.unusable, s.Path)
			v.State, v.Since, v.Message, v.Advice = Empty, time.Now(), "", ""
		}
	})
}

func (b *board) hold(why string) {
	b.metrics.setHeld(why != "")
	b.mu.Lock()
	same := b.now.Held == why
	b.mu.Unlock()
	if !same {
		b.change(func() { b.now.Held = why })
	}
}

func (b *board) view() View {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.now
	v.Slots = slices.Clone(v.Slots)
	v.Now = time.Now()
	v.Totals = b.tally.totals(v.Now)
	return v
}
