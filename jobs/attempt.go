package jobs

import (
	"fmt"
	"math"
	"regexp"
	"time"
)

// Outcome is how an attempt ended; "" while it is open.
type Outcome string

// The outcomes.
const (
	Pass    Outcome = "pass"
	Fail    Outcome = "fail"    // a fault of the unit
	Error   Outcome = "error"   // a fault of the rig or its surroundings
	Aborted Outcome = "aborted" // stopped half-way: unplugged, or flashd was stopped
	Refused Outcome = "refused" // not to be worked on: already done, or in another slot
)

// Outcomes is the list of all outcomes.
var Outcomes = []Outcome{Pass, Fail, Error, Aborted, Refused}

// Blame says whose fault a failure is.
type Blame string

// The two that can be blamed.
const (
	BlameUnit Blame = "unit"
	BlameRig  Blame = "rig"
)

// Failure is why an attempt did not pass. Kind and Text are required, and Phase is
// a word like Kind. The store does not say which kinds there are; few are best, since
// they are filtered and counted by.
type Failure struct {
	Phase string `json:"phase,omitempty"` // the phase in which it happened, "" if that is not known
	Kind  string `json:"kind"`            // the caller's own word for it: "no_sync"; 40 of a-z, 0-9, - and _ at most, a letter first
	Blame Blame  `json:"blame,omitempty"` // required for fail and error
	Text  string `json:"text"`            // what happened, in one sentence
	Hint  string `json:"hint,omitempty"`  // what to do about it
}

// Phase is one timed step of an attempt.
type Phase struct {
	Name    string    `json:"name"`
	Start   time.Time `json:"start,omitzero"`
	Seconds float64   `json:"seconds"`

	// Next is the phase that begins now, if the caller knows. It costs no
	// further write, and lets Recover say in which phase flashd was stopped.
	Next string `json:"-"`
}

// Region is a part of the flash that was verified on the chip: after it was
// written, or to prove that a rework did not touch it.
// It has no digest: that of an NVS partition would give weak secrets away.
type Region struct {
	Name   string `json:"name"`
	Offset uint32 `json:"offset"` // in the flash, bytes
	Size   int    `json:"size"`   // bytes
}

// Attempt is one insertion of a unit into a slot.
type Attempt struct {
	ID            uint64    `json:"id"`
	Slot          string    `json:"slot"`           // name of the slot
	Path          string    `json:"path,omitempty"` // its USB topology path, or the port
	Unit          string    `json:"unit,omitempty"` // device ID, "" until identified
	Chip          string    `json:"chip,omitempty"`
	Release       string    `json:"release,omitempty"`       // name of the release
	ReleaseDigest string    `json:"releaseDigest,omitempty"` // SHA-256 of its manifest, hex
	Tool          string    `json:"tool,omitempty"`          // version of flashd
	Start         time.Time `json:"start"`
	End           time.Time `json:"end,omitzero"`          // zero while open
	Outcome       Outcome   `json:"outcome,omitempty"`     // "" while open
	Verdict       Verdict   `json:"verdict,omitempty"`     // what Identify decided
	Current       string    `json:"current,omitempty"`     // while open: the phase under way, as far as known
	Phases        []Phase   `json:"phases,omitempty"`      // in the order in which they ended
	Verified      []Region  `json:"verified,omitempty"`    //
	Firmware      *Firmware `json:"firmware,omitempty"`    // of a unit whose firmware a rework left as it was, if known; see LeftBehind
	Written       int64     `json:"written,omitempty"`     // bytes sent to the flash
	BootChecked   bool      `json:"bootChecked,omitempty"` // the unit came up and said its own device ID
	Failure       *Failure  `json:"failure,omitempty"`
	Notes         []string  `json:"notes,omitempty"`      // what else is worth knowing, in sentences
	Rework        *Rework   `json:"rework,omitempty"`     // the permission it was made with
	Credential    string    `json:"credential,omitempty"` // name of the credentials' source, never a credential
}

// Open reports whether a is not yet finished.
func (a Attempt) Open() bool { return a.Outcome == "" }

// Result is how an attempt ended, with the evidence: a pass needs Verified, and
// BootChecked or BootCheckOff. A fail needs a Failure that blames the unit, an error
// one that blames the rig; aborted and refused may have one that blames either.
type Result struct {
	Outcome      Outcome
	End          time.Time // now if zero
	Failure      *Failure  // required for fail and error, may be nil for aborted and refused; nil for pass
	Verified     []Region  // every region written, and those proved untouched, each verified on the chip
	Firmware     *Firmware // that a rework of the NVS partition alone left as it was; nil if not known
	Written      int64     // bytes sent to the flash
	BootChecked  bool      // the unit came up and said its own device ID
	BootCheckOff bool      // the station does without the boot check
	Credential   string    // name of the credentials' source: "server"; "" if none were asked for
	Notes        []string  // what else is worth knowing, in sentences without secrets
}

// Words end up as metric labels. A source is letters only and short, so that no
// password, hash or token can be taken for one.
var (
	wordRE   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)
	sourceRE = regexp.MustCompile(`^[a-z]{1,16}$`)
	unitRE   = regexp.MustCompile(`^[0-9A-F]{12}$`)
)

func checkUnitID(id string) error {
	if !unitRE.MatchString(id) {
		return fmt.Errorf("unit %.40q: want 12 upper-case hex digits, such as A1B2C3D4E5F6", id)
	}
	return nil
}

func (p Phase) check() error {
	switch {
	case !wordRE.MatchString(p.Name):
		return fmt.Errorf("phase %.40q: want a lower-case word", p.Name)
	case p.Next != "" && !wordRE.MatchString(p.Next):
		return fmt.Errorf("next phase %.40q: want a lower-case word", p.Next)
	case math.IsNaN(p.Seconds) || p.Seconds < 0 || p.Seconds > maxSeconds:
		return fmt.Errorf("phase %s: %v seconds", p.Name, p.Seconds)
	}
	return nil
}

func (f Failure) check() error {
	switch {
	case !wordRE.MatchString(f.Kind):
		return fmt.Errorf("failure kind %.40q: want a lower-case word", f.Kind)
	case f.Phase != "" && !wordRE.MatchString(f.Phase):
		return fmt.Errorf("failure phase %.40q: want a lower-case word", f.Phase)
	case f.Text == "":
		return fmt.Errorf("failure %s without a text", f.Kind)
	}
	return nil
}
