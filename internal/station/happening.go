package station

import (
	"hoptech.co.nz/flashd/jobs"
)

// A HookEvent is what a hook can be called for.
type HookEvent string

// The events. Those that end an attempt are called as its outcome is; one that
// was cut off because the station stops has none.
const (
	HookAttach  HookEvent = "attach"  // work on a unit begins
	HookPass    HookEvent = "pass"    // it is provisioned
	HookFail    HookEvent = "fail"    // it is faulty
	HookError   HookEvent = "error"   // the rig or its surroundings are
	HookRefused HookEvent = "refused" // it must not be written
	HookDetach  HookEvent = "detach"  // it was taken out after its attempt had ended
)

// HookEvents is the list of all events.
var HookEvents = []HookEvent{HookAttach, HookPass, HookFail, HookError, HookRefused, HookDetach}

// A Happening is what a hook is told. It holds no secrets.
type Happening struct {
	Event     HookEvent
	Station   string
	Simulated bool         // the units are simulated chips
	Slot      string       // name of the slot
	Path      string       // its USB topology path
	Release   string       // name of the release being written
	Attempt   uint64       // ID in the record
	Unit      string       // device ID; "" while it is not known
	Outcome   jobs.Outcome // of the attempt; "" at its beginning
	Phase     string       // in which it failed; "" if it did not, as in the next two
	Kind      string       // of failure, in one word
	Text      string       // what happened, in one sentence

	// ErrorsInARow is how many attempts in the slot have ended as an error, this
	// one included, since one last ended otherwise or the station was started.
	ErrorsInARow int
}

// tell calls the hook for something that happens to the attempt's unit.
func (a *attempt) tell(event HookEvent) {
	r := a.record
	what := Happening{
		Event: event, Station: a.Name, Simulated: a.Simulated, Slot: a.slot.Name, Path: a.slot.Path,
		Release: a.Release.Name, Attempt: r.ID, Unit: r.Unit, Outcome: r.Outcome,
		ErrorsInARow: a.slot.errorsInARow,
	}
	if f := r.Failure; f != nil {
		what.Phase, what.Kind, what.Text = f.Phase, f.Kind, f.Text
	}
	a.hooks.tell(what)
}

// tellEnd calls the hook for the attempt's outcome, which has the same name.
func (a *attempt) tellEnd() {
	switch a.record.Outcome {
	case jobs.Aborted:
		return
	case jobs.Error:
		a.slot.errorsInARow++
	default:
		a.slot.errorsInARow = 0
	}
	a.tell(HookEvent(a.record.Outcome))
}
