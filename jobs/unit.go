package jobs

import "time"

// Unit is the summary of one board.
type Unit struct {
	ID       string    `json:"id"` // device ID
	Chip     string    `json:"chip,omitempty"`
	First    time.Time `json:"first"`             // start of its first attempt
	Last     time.Time `json:"last"`              // when it was last seen
	Attempts int       `json:"attempts"`          // attempts allowed to work on it, the open one included
	Refused  int       `json:"refused,omitempty"` // attempts that Identify refused
	Fails    int       `json:"fails,omitempty"`   // attempts that ended with fail

	// Passed says that the unit is done: the last thing that was allowed to
	// write to it ended with pass.
	Passed        bool      `json:"passed"`
	PassedAt      time.Time `json:"passedAt,omitzero"`       // its latest pass; kept while a rework is under way
	PassedRelease string    `json:"passedRelease,omitempty"` // the firmware of its latest pass; an NVS-only rework leaves it

	// FirstPass says that the first attempt that counts passed. Only pass and
	// fail count, since error, aborted and refused say nothing about the unit.
	// It is settled by the unit's first pass; a later rework does not change it.
	FirstPass bool `json:"firstPass"`

	// Firmware says that the firmware on the chip was verified by a passed
	// attempt and that none since was allowed to write to it. Without it a
	// rework has to write everything.
	Firmware bool `json:"firmware"`

	LastOutcome Outcome `json:"lastOutcome,omitempty"` // of the latest finished attempt that was allowed to work
	Rework      *Rework `json:"rework,omitempty"`      // armed, unless it has expired since
	Open        uint64  `json:"open,omitempty"`        // the attempt that works on it now, 0 if none

	// Archived counts those of Attempts, Refused and Fails whose attempts are no
	// longer in the store but in an archive.
	Archived Archived `json:"archived,omitzero"`
}

// Archived counts attempts of a unit that are in archives.
type Archived struct {
	Attempts int `json:"attempts,omitempty"`
	Refused  int `json:"refused,omitempty"`
	Fails    int `json:"fails,omitempty"`
}

func (n *Archived) add(a Attempt) {
	n.Attempts += count(a.Verdict.Grants())
	n.Refused += count(!a.Verdict.Grants())
	n.Fails += count(a.Verdict.Grants() && a.Outcome == Fail)
}

// Verdict is what may be done to a unit.
type Verdict string

// The verdicts.
const (
	Provision     Verdict = "provision"      // write everything
	AlreadyPassed Verdict = "already_passed" // leave it alone: it is done
	Busy          Verdict = "busy"           // leave it alone: another attempt works on it
	Lapsed        Verdict = "lapsed"         // leave it alone: its rework was begun, and ended before it was done
	ReworkNVS     Verdict = "rework_nvs"     // write the NVS partition only
	ReworkAll     Verdict = "rework_all"     // write everything again
)

// Grants reports whether v allows the flash to be written.
func (v Verdict) Grants() bool { return v == Provision || v == ReworkNVS || v == ReworkAll }

// Rewrites is what a rework writes, in one word: nvs or all; "" where v is none.
func (v Verdict) Rewrites() string {
	switch v {
	case ReworkNVS:
		return "nvs"
	case ReworkAll:
		return "all"
	default:
		return ""
	}
}

// Decision is what Identify decided, and what it is based on.
type Decision struct {
	Verdict Verdict
	Unit    Unit    // after the decision
	Rework  *Rework // for ReworkNVS and ReworkAll
	Other   Attempt // for Busy: the attempt that has the unit
}

func (u *Unit) decide(now time.Time) Verdict {
	armed := u.Rework != nil && u.Rework.State(now) == ReworkArmed
	switch {
	case u.Open != 0:
		return Busy
	case armed && u.Firmware && !u.Rework.Reflash:
		return ReworkNVS
	case armed:
		return ReworkAll
	case u.Passed:
		return AlreadyPassed
	case !u.PassedAt.IsZero(): // written under a rework that has expired or was cancelled
		return Lapsed
	default:
		return Provision
	}
}

// identified takes the verdict on attempt a into the summary.
func (u *Unit) identified(a Attempt) {
	u.Last = latest(u.Last, a.Start)
	if !a.Verdict.Grants() {
		u.Refused++
		return
	}
	u.Attempts++
	u.Open = a.ID
	// From here on a crash may leave anything on the chip, so the claims go first.
	u.Passed = false
	u.Firmware = u.Firmware && a.Verdict == ReworkNVS
}

// finished takes the end of attempt a, which had the unit, into the summary.
func (u *Unit) finished(a Attempt) {
	u.Open = 0
	u.Last = latest(u.Last, a.End)
	u.LastOutcome = a.Outcome
	switch a.Outcome {
	case Fail:
		u.Fails++
	case Pass:
		u.passed(a)
	}
}

func (u *Unit) passed(a Attempt) {
	if u.PassedAt.IsZero() {
		u.FirstPass = u.Fails == 0
	}
	if a.Verdict != ReworkNVS {
		u.PassedRelease = a.Release
	}
	u.Passed, u.Firmware, u.PassedAt = true, true, a.End
	// A permission given while this attempt ran is for the next one.
	if a.Rework != nil && u.Rework != nil && u.Rework.ID == a.Rework.ID {
		u.Rework = nil
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
