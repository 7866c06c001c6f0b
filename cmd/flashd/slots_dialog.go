package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
)

const (
	// together is how close two arrivals are that nobody can tell apart: a
	// listing reports what came since the one before, and a hand needs longer
	// from one slot to the next.
	together = 500 * time.Millisecond
	// restart is how long a board may be off the USB when it starts over. A
	// hand that takes it out and puts it in again needs longer.
	restart = 2 * time.Second
)

// learner asks for a board in one slot after the other, and notes the place in
// which each turns up.
type learner struct {
	out    io.Writer
	accept func(hotplug.ID) bool // which devices are boards
	names  []string              // of the slots; none: 1, 2, 3, …
	count  int                   // how many slots there are; 0: the operator says when these were all

	steps   []step               // what was done so far
	there   map[string]bool      // places that are taken
	left    map[string]time.Time // when a place was left
	hinted  map[string]bool      // places where a short absence was explained
	arrived []hotplug.Device     // within the last moment
}

// step is one slot that was asked for.
type step struct {
	name string
	path string // "": the slot was skipped
}

// newLearner makes a learner that knows what is plugged in already.
func newLearner(out io.Writer, accept func(hotplug.ID) bool, names []string, count int, plugged []hotplug.Device) *learner {
	l := &learner{
		out: out, accept: accept, names: names, count: cmp.Or(len(names), count),
		there: map[string]bool{}, left: map[string]time.Time{}, hinted: map[string]bool{},
	}
	for _, d := range plugged {
		l.there[d.Path] = true
	}
	return l
}

// run goes through the slots. Nothing comes of it if ctx ends.
func (l *learner) run(ctx context.Context, events <-chan hotplug.Event, lines <-chan string) (config.Slots, error) {
	l.welcome()
	var settled <-chan time.Time
	for !l.complete() {
		select {
		case e, ok := <-events:
			switch {
			case !ok:
				return nil, ctx.Err()
			case e.Kind == hotplug.Detach:
				delete(l.there, e.Device.Path)
				l.left[e.Device.Path] = time.Now()
			case e.Kind == hotplug.Unusable: // the log says so
			case l.arrives(e.Device) && settled == nil:
				settled = time.After(together)
			}
		case <-settled:
			settled = nil
			l.settle()
		case line, ok := <-lines:
			if settled != nil {
				settled = nil
				l.settle()
			}
			if !ok {
				lines = nil // nobody is there to say anything more
			}
			if (ok || l.count == 0) && !l.complete() && l.command(strings.TrimSpace(line)) {
				return l.slots(), nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.slots(), nil
}

func (l *learner) welcome() {
	end := "Enter alone when these were all"
	if l.count > 0 {
		end = "Ctrl-C to leave everything as it was"
	}
	l.say("Put a board into one slot after the other; it may be the same one.")
	l.say("Beside that: s and Enter to skip a slot, u and Enter to take the last one back, %s.", end)
	if len(l.there) > 0 {
		taken := slices.SortedFunc(maps.Keys(l.there), hotplug.ComparePaths)
		l.say("What is plugged in already does not count: %s. Take it out and put it in again when its slot is asked for.", strings.Join(taken, ", "))
	}
	l.ask()
}

// arrives reports whether d is a board that was put into a place.
func (l *learner) arrives(d hotplug.Device) bool {
	here := l.there[d.Path]
	l.there[d.Path] = true
	brief := time.Since(l.left[d.Path]) < restart
	slot, known := l.slotAt(d.Path)
	switch {
	case here, brief && known: // it was there before, or starts over
		return false
	case brief:
		if !l.hinted[d.Path] {
			l.hinted[d.Path] = true
			l.say("What is in %s was away for a moment only, as boards are that start over. If you put it in, take it out for some seconds first.", d.Path)
		}
		return false
	case !l.accept(d.ID()):
		l.say("In %s is a %s, which is not known as a board. If it is one, add %s to usb.accept in flashd.yaml.", d.Path, d.ID(), strings.ToLower(d.ID().String()))
		return false
	case known:
		l.say("%s is slot %s already.", d.Path, slot)
		l.ask()
		return false
	}
	l.arrived = append(l.arrived, d)
	return true
}

// settle takes the board that has arrived for the one that was asked for,
// unless there were more.
func (l *learner) settle() {
	arrived := l.arrived
	l.arrived = nil
	if len(arrived) == 1 {
		d := arrived[0]
		l.say("Slot %s is %s (%s).", l.next(), d.Path, strings.TrimSpace(d.ID().String()+" "+d.Serial))
		l.steps = append(l.steps, step{l.next(), d.Path})
	} else {
		paths := make([]string, len(arrived))
		for i, d := range arrived {
			paths[i] = d.Path
		}
		l.say("Boards came into %s at once, so which is slot %s cannot be told. Take them out, and put in one at a time.", strings.Join(paths, " and "), l.next())
	}
	l.ask()
}

// command does what the operator says, and reports whether that was all.
func (l *learner) command(line string) bool {
	switch {
	case line == "" && l.count == 0:
		return true
	case line == "":
		l.say("%d of %d slots are still to come.", l.count-len(l.steps), l.count)
	case line == "s":
		l.say("Slot %s is skipped.", l.next())
		l.steps = append(l.steps, step{name: l.next()})
	case line == "u" && len(l.steps) == 0:
		l.say("There is nothing to take back.")
	case line == "u":
		l.steps = l.steps[:len(l.steps)-1]
		l.say("Slot %s is taken back.", l.next())
	default:
		l.say("%q is not known: s skips a slot, u takes the last one back.", line)
	}
	l.ask()
	return false
}

func (l *learner) ask() {
	if !l.complete() {
		l.say("Put a board into slot %s.", l.next())
	}
}

func (l *learner) say(format string, args ...any) { fmt.Fprintf(l.out, format+"\n", args...) }

func (l *learner) complete() bool { return l.count > 0 && len(l.steps) == l.count }

// next is the name of the slot that is asked for.
func (l *learner) next() string {
	n := len(l.steps)
	if len(l.names) > 0 {
		return l.names[n]
	}
	return strconv.Itoa(n + 1)
}

// slotAt returns the name of the slot at path, if it has been learned.
func (l *learner) slotAt(path string) (name string, known bool) {
	i := slices.IndexFunc(l.steps, func(s step) bool { return s.path == path })
	if i < 0 {
		return "", false
	}
	return l.steps[i].name, true
}

func (l *learner) slots() config.Slots {
	var slots config.Slots
	for _, s := range l.steps {
		if s.path != "" {
			slots = append(slots, config.Slot{Path: s.path, Name: s.name})
		}
	}
	return slots
}
