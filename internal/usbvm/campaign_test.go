//go:build usbvm

package usbvm_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

var (
	campaignUnits = flag.Int("campaign", 12, "how many units go through the campaign")
	campaignSeed  = flag.Uint64("seed", 1, "of what the campaign's operator does")
)

// A clumsy operator takes units through a fixture: many are pulled out in the
// middle, moved to another slot or changed for one another. In the end each
// good unit has passed once, with its own credentials in its flash, and the
// record tells truly what happened to whom, and where.
func TestCampaign(t *testing.T) {
	slots := min(8, max(2, *campaignUnits/3))
	o := &operator{
		fixture: newFixture(t, slots, func(c *station.Config) { c.Retries = 2 }),
		rng:     rand.New(rand.NewPCG(*campaignSeed, 64)),
		at:      make([]*insertion, slots), pulledIn: map[string]int{},
	}
	for i := range *campaignUnits {
		o.shelf = append(o.shelf, o.newPart(i))
	}
	parts := slices.Clone(o.shelf)
	start := time.Now()
	for !o.done() && !t.Failed() {
		o.step(o.rng.IntN(slots))
		time.Sleep(time.Duration(o.rng.IntN(60)) * time.Millisecond)
	}
	t.Logf("seed %d: %d units in %d insertions in %d slots, %v; pulled in %v",
		*campaignSeed, len(parts), len(o.all), slots, time.Since(start).Round(time.Second), o.pulledIn)
	o.checkParts(parts)
	o.checkRecord(parts)
}

// part is a unit in the hands of the operator.
type part struct {
	board  *usbip.Board
	id     string
	faulty bool
	passed bool
	nvs    []byte // its NVS partition when it passed
	errors int
}

// insertion is one stay of a part in a slot.
type insertion struct {
	*part
	slot    int
	in      time.Time // from before it was plugged in
	pulling time.Time // from before it was pulled out
	out     time.Time // to after that
}

// isOver reports whether a slot shows how it ended for this one, and not for
// the one before, which it may take the station a moment to miss.
func (i *insertion) isOver(view station.SlotView) bool {
	return view.State != station.Working && view.State != station.Empty && view.Since.After(i.in) && time.Since(view.Since) > time.Second
}

// operator puts units in and takes them out.
type operator struct {
	*fixture
	rng      *rand.Rand
	shelf    []*part
	at       []*insertion // by slot; nil: it is empty
	all      []*insertion
	pulledIn map[string]int // by phase
}

// newPart makes a unit. One in eight has a flash that does not hold what is
// written.
func (o *operator) newPart(i int) *part {
	r, err := release()
	if err != nil {
		o.Fatal(err)
	}
	n := 500 + i
	p := &part{id: unitOf(n), faulty: i%8 == 5}
	var faults []espsim.Fault
	if p.faulty {
		faults = []espsim.Fault{{Kind: espsim.DeadSector, Address: r.Segments[len(r.Segments)-1].Offset}}
	}
	adapters := []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102, usbip.CH340}
	p.board = newUnit(o.T, n, adapters[o.rng.IntN(len(adapters))], faults...)
	return p
}

func (o *operator) done() bool {
	return len(o.shelf) == 0 && !slices.ContainsFunc(o.at, func(i *insertion) bool { return i != nil })
}

// step is what the operator does when he looks at a slot.
func (o *operator) step(slot int) {
	i := o.at[slot]
	view := o.slot(slot)
	switch {
	case i == nil:
		if len(o.shelf) > 0 {
			k := o.rng.IntN(len(o.shelf))
			p := o.shelf[k]
			o.shelf = slices.Delete(o.shelf, k, k+1)
			o.insert(p, slot)
		}
	case time.Since(i.in) > 2*time.Minute:
		o.Errorf("unit %s is stuck in slot %d: %+v", i.id, slot, view)
	case i.isOver(view):
		o.collect(i, view)
	default:
		o.meddle(i)
	}
}

func (o *operator) insert(p *part, slot int) {
	i := &insertion{part: p, slot: slot, in: time.Now()}
	o.plug(p.board, slot)
	if !p.faulty && o.rng.IntN(12) == 0 {
		p.board.Wedge()
	}
	o.at[slot] = i
	o.all = append(o.all, i)
}

// remove takes out what is in a slot.
func (o *operator) remove(i *insertion) *part {
	if view := o.slot(i.slot); view.State == station.Working {
		o.pulledIn[view.Phase]++
	}
	i.pulling = time.Now()
	i.board.Unplug()
	i.out = time.Now()
	o.at[i.slot] = nil
	return i.part
}

// collect takes out a unit that is said to be done, or not.
func (o *operator) collect(i *insertion, view station.SlotView) {
	p := o.remove(i)
	switch view.State {
	case station.Passed:
		if p.faulty || p.passed || view.Unit != p.id {
			o.Errorf("%+v: it is unit %s, faulty %v, passed before %v", view, p.id, p.faulty, p.passed)
		}
		o.pass(p)
		if o.rng.IntN(4) == 0 { // did I have this one?
			o.shelf = append(o.shelf, p)
		}
	case station.Failed:
		if !p.faulty {
			o.Errorf("%+v: unit %s is good", view, p.id)
		}
	case station.Errored:
		if p.errors++; p.errors > 5 {
			o.Errorf("%+v: unit %s has had %d errors", view, p.id, p.errors)
		}
		o.shelf = append(o.shelf, p)
	case station.Refused:
		switch {
		case o.attempt(view.Attempt).Failure.Kind == "busy": // it is still being missed in another slot
			o.shelf = append(o.shelf, p)
		case !p.passed: // when it was pulled out it had just been done
			o.pass(p)
		}
	}
}

func (o *operator) pass(p *part) { p.passed, p.nvs = true, o.nvsOf(p) }

func (o *operator) nvsOf(p *part) []byte {
	r, err := release()
	if err != nil {
		o.Fatal(err)
	}
	return bytes.Clone(p.board.Chip().Flash().Bytes()[r.NVS.Offset:][:r.NVS.Size])
}

// meddle leaves a unit that is being worked on alone, as a rule.
func (o *operator) meddle(i *insertion) {
	what := o.rng.IntN(100)
	if what >= 15 {
		return
	}
	o.awaitSomePhase(i)
	if o.at[i.slot] != i || o.slot(i.slot).State != station.Working {
		return
	}
	p := o.remove(i)
	switch {
	case what < 6: // it goes back to the others
		o.shelf = append(o.shelf, p)
	case what < 9: // it was not in properly
		for range o.rng.IntN(3) {
			o.insert(p, i.slot)
			time.Sleep(time.Duration(o.rng.IntN(900)) * time.Millisecond)
			o.remove(o.at[i.slot])
		}
		o.insert(p, i.slot)
	default: // it changes places with another one, or goes to an empty slot
		slot := o.rng.IntN(len(o.at))
		other := o.at[slot]
		if other != nil {
			q := o.remove(other)
			o.insert(q, i.slot)
		}
		o.insert(p, slot)
	}
}

// awaitSomePhase waits for a phase of the operator's choice, until it is there
// or over.
func (o *operator) awaitSomePhase(i *insertion) {
	phases := station.Phases()
	want := o.rng.IntN(len(phases))
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		view := o.slot(i.slot)
		if i.isOver(view) || view.State == station.Working && slices.Index(phases, view.Phase) >= want {
			return
		}
	}
}

// checkParts looks into the flash of each unit.
func (o *operator) checkParts(parts []*part) {
	for _, p := range parts {
		nvs := o.nvsOf(p)
		switch {
		case p.faulty:
		case !p.passed:
			o.Errorf("unit %s has not passed", p.id)
		default:
			o.provisioned(p.board, p.id)
			if !bytes.Equal(nvs, p.nvs) {
				o.Errorf("unit %s was changed after it had passed", p.id)
			}
		}
		for _, q := range parts {
			if q != p && (bytes.Contains(nvs, []byte(o.password(q.id))) || bytes.Contains(nvs, []byte(q.id))) {
				o.Errorf("credentials of unit %s are in unit %s", q.id, p.id)
			}
		}
	}
}

// slack is how much later than the hand the station may notice that a unit has
// left: the kernel and the watcher take their time.
const slack = 8 * time.Second

// checkRecord compares the record with what the operator did.
func (o *operator) checkRecord(parts []*part) {
	outcomes := map[string]int{}
	passes := map[string]int{}
	for a, err := range o.store.Attempts(jobs.Filter{}) {
		if err != nil {
			o.Fatal(err)
		}
		word := string(a.Outcome)
		if a.Failure != nil {
			word += " " + a.Failure.Kind
		}
		outcomes[word]++
		if a.Outcome == jobs.Pass {
			passes[a.Unit]++
		}
		if err := o.plausible(a); err != nil {
			o.Errorf("attempt %d, unit %q in slot %s, %s: %v", a.ID, a.Unit, a.Slot, word, err)
		}
	}
	o.Logf("attempts: %v", outcomes)
	for _, p := range parts {
		if want := map[bool]int{true: 1, false: 0}[!p.faulty]; passes[p.id] != want {
			o.Errorf("unit %s is recorded as passed %d times", p.id, passes[p.id])
		}
	}
}

// plausible says what is wrong with an attempt.
func (o *operator) plausible(a jobs.Attempt) error {
	// What was in the slot meanwhile, in order.
	stays := slices.DeleteFunc(slices.Clone(o.all), func(i *insertion) bool {
		return fmt.Sprint(i.slot) != a.Slot || a.End.Before(i.in) || a.Start.After(i.out.Add(slack))
	})
	foreign := func(i *insertion) bool { return i.id != a.Unit }
	switch {
	case a.Open():
		return errors.New("it is still open")
	case len(stays) == 0:
		return errors.New("nothing was in the slot then")
	case a.Unit != "" && !slices.ContainsFunc(stays, func(i *insertion) bool { return !foreign(i) }):
		return fmt.Errorf("the unit was not in the slot then, but %s", stays[0].id)
	}
	switch a.Outcome {
	case jobs.Pass:
		there := slices.DeleteFunc(stays, func(i *insertion) bool { return a.Start.After(i.out) })
		if slices.ContainsFunc(there, foreign) || a.Start.Before(there[0].in) || proved(a).After(there[len(there)-1].out) {
			return errors.New("the unit was not there all the time")
		}
	case jobs.Fail:
		if !slices.ContainsFunc(stays, func(i *insertion) bool { return i.faulty && !foreign(i) }) {
			return fmt.Errorf("the unit is good: %+v", a.Failure)
		}
	case jobs.Error:
		pulled := slices.ContainsFunc(stays, func(i *insertion) bool { return i.pulling.Before(a.End) })
		if !pulled || a.Failure.Kind != "detached" && a.Failure.Kind != "wrong_unit" { // the latter where another one came between two tries
			return fmt.Errorf("pulled out: %v, but %+v", pulled, a.Failure)
		}
	}
	return nil
}

// proved is when the last that a unit has to show was seen. That this is then
// written to the record takes some time, in which the unit may leave.
func proved(a jobs.Attempt) time.Time {
	last := a.Phases[len(a.Phases)-1]
	return last.Start.Add(time.Duration(last.Seconds * float64(time.Second)))
}
