package jobs

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"
)

var (
	// ErrNoUnit is returned when the store has never seen the unit.
	ErrNoUnit = errors.New("no such unit")
	// ErrNotPassed is returned when a rework is asked for a unit that was never done and so needs none.
	ErrNotPassed = errors.New("the unit has not passed, so it needs no rework: plug it in again")
	// ErrBadRework is returned when a rework is asked for that cannot be allowed as it is.
	ErrBadRework = errors.New("it cannot be allowed")
	// ErrNoRework is returned when there is no rework with the ID.
	ErrNoRework = errors.New("no such rework")
	// ErrReworkOver is returned when a rework is to be cancelled that is used, cancelled, expired or replaced.
	ErrReworkOver = errors.New("the rework is over")
	// ErrReworkBegun is returned when a rework is to be cancelled that an attempt is carrying out.
	ErrReworkBegun = errors.New("the rework is being carried out")
)

// DefaultExpiry is how long people usually mean a rework to be armed: one shift.
const DefaultExpiry = 8 * time.Hour

// Rework is the recorded permission to provision a unit again.
type Rework struct {
	ID     uint64 `json:"id"`
	Unit   string `json:"unit"`           // device ID
	Slot   string `json:"slot,omitempty"` // where the unit was, if it was named by its slot
	Reason string `json:"reason"`         // why
	By     string `json:"by"`             // who allowed it

	// Reflash writes everything again. Else the NVS partition alone is renewed:
	// what the release's template sets gets new values, and other keys stay.
	Reflash        bool              `json:"reflash"`
	KeepAll        bool              `json:"keepAll,omitempty"`        // keep what the template sets, too; add what is missing
	NewCredentials bool              `json:"newCredentials,omitempty"` // with KeepAll: renew the credentials nevertheless
	Set            map[string]string `json:"set,omitempty"`            // NVS keys to set, by name: see CheckSetting

	Allowed time.Time `json:"allowed"`          // now if zero
	Expires time.Time `json:"expires,omitzero"` // from then on no attempt gets it; zero: never
	Used    time.Time `json:"used,omitzero"`    // when an attempt passed with it; zero until then

	Cancelled    time.Time `json:"cancelled,omitzero"` // zero unless it was
	CancelledBy  string    `json:"cancelledBy,omitempty"`
	CancelReason string    `json:"cancelReason,omitempty"`
	ReplacedBy   uint64    `json:"replacedBy,omitempty"` // the later rework that took its place
}

// ReworkState is what has become of a rework.
type ReworkState string

// The states of a rework. All but the first are final.
const (
	ReworkArmed     ReworkState = "armed" // the unit's next attempt gets it
	ReworkUsed      ReworkState = "used"
	ReworkCancelled ReworkState = "cancelled"
	ReworkReplaced  ReworkState = "replaced"
	ReworkExpired   ReworkState = "expired"
)

// State returns what has become of r by now.
func (r Rework) State(now time.Time) ReworkState {
	switch {
	case !r.Used.IsZero():
		return ReworkUsed
	case !r.Cancelled.IsZero():
		return ReworkCancelled
	case r.ReplacedBy != 0:
		return ReworkReplaced
	case !r.Expires.IsZero() && !now.Before(r.Expires):
		return ReworkExpired
	default:
		return ReworkArmed
	}
}

// ReworkStates are all states of a rework.
var ReworkStates = []ReworkState{ReworkArmed, ReworkUsed, ReworkCancelled, ReworkReplaced, ReworkExpired}

// InState leaves out the reworks that are in another state by now.
func InState(all iter.Seq2[Rework, error], state ReworkState, now time.Time) iter.Seq2[Rework, error] {
	return func(yield func(Rework, error) bool) {
		for r, err := range all {
			if (err != nil || r.State(now) == state) && !yield(r, err) {
				return
			}
		}
	}
}

// AllowRework records r and arms it: the unit's next attempt renews its NVS
// partition, or everything if r.Reflash is set. It stays armed until an attempt
// passes with it, it expires or it is cancelled. A later one replaces it; both
// stay in the record.
//
// It returns ErrBadRework for what cannot be, ErrNoUnit for a unit never seen and ErrNotPassed for one that was
// never done, since that one is provisioned anyway.
func (s *Store) AllowRework(r Rework) (Rework, error) {
	r, err := r.asked()
	if err == nil {
		err = s.update(func(b books) (err error) {
			r, err = b.allow(r)
			return err
		})
	}
	if err != nil {
		return Rework{}, fmt.Errorf("rework of %.40s: %w", r.Unit, err)
	}
	return r, nil
}

// asked returns what of r whoever asks for it can say, checked.
func (r Rework) asked() (Rework, error) {
	asked := Rework{
		Unit: r.Unit, Slot: sentence(r.Slot), Reason: sentence(r.Reason), By: sentence(r.By),
		Reflash: r.Reflash, KeepAll: r.KeepAll, NewCredentials: r.NewCredentials, Set: maps.Clone(r.Set),
		Allowed: moment(r.Allowed),
	}
	if !r.Expires.IsZero() {
		asked.Expires = moment(r.Expires)
	}
	if err := asked.check(); err != nil {
		return asked, fmt.Errorf("%w: %w", ErrBadRework, err)
	}
	return asked, nil
}

func (r Rework) check() error {
	if err := checkUnitID(r.Unit); err != nil {
		return err
	}
	switch {
	case r.Reason == "":
		return errors.New("a reason is required")
	case r.By == "":
		return errors.New("the name of who allows it is required")
	case r.Reflash && r.KeepAll:
		return errors.New("everything is written again or all keys are kept, not both")
	case !r.Expires.IsZero() && !r.Expires.After(r.Allowed):
		return errors.New("it would have expired before it is allowed")
	}
	return checkSettings(r.Set)
}

func (b books) allow(r Rework) (Rework, error) {
	u, err := b.unit(r.Unit)
	if err != nil {
		return r, err
	}
	if u.PassedAt.IsZero() {
		return r, ErrNotPassed
	}
	if r.ID, err = b.reworks.NextSequence(); err != nil {
		return r, err
	}
	if old := u.Rework; old != nil && old.State(r.Allowed) == ReworkArmed {
		old.ReplacedBy = r.ID
		if err := b.putRework(*old); err != nil {
			return r, err
		}
	}
	u.Rework = &r
	if err := b.reworksByUnit.Put(append([]byte(r.Unit), idKey(r.ID)...), nil); err != nil {
		return r, err
	}
	return r, errors.Join(b.putRework(r), b.putUnit(u))
}

// CancelRework disarms rework id for good, and records who did so and why. It
// returns ErrNoRework, ErrReworkOver, or ErrReworkBegun while an attempt carries
// it out.
//
// A unit on which an attempt with it has failed is neither as it was nor done: it
// is refused until another rework is allowed.
func (s *Store) CancelRework(id uint64, by, reason string) (r Rework, err error) {
	by, reason = sentence(by), sentence(reason)
	switch {
	case reason == "":
		err = errors.New("a reason is required")
	case by == "":
		err = errors.New("the name of who cancels it is required")
	default:
		err = s.update(func(b books) error {
			r, err = b.cancel(id, by, reason, moment(time.Time{}))
			return err
		})
	}
	if err != nil {
		return Rework{}, fmt.Errorf("cancel rework %d: %w", id, err)
	}
	return r, nil
}

func (b books) cancel(id uint64, by, reason string, now time.Time) (Rework, error) {
	r, err := b.rework(id)
	if err != nil {
		return r, err
	}
	if state := r.State(now); state != ReworkArmed {
		return r, fmt.Errorf("%w: it is %s", ErrReworkOver, state)
	}
	u, err := b.unit(r.Unit)
	if err != nil {
		return r, err
	}
	if u.Open != 0 {
		a, err := b.attempt(u.Open)
		if err != nil {
			return r, err
		}
		if a.Rework != nil && a.Rework.ID == id {
			return r, fmt.Errorf("%w in slot %s", ErrReworkBegun, a.Slot)
		}
	}
	r.Cancelled, r.CancelledBy, r.CancelReason = now, by, reason
	if u.Rework != nil && u.Rework.ID == id {
		u.Rework = nil
	}
	return r, errors.Join(b.putRework(r), b.putUnit(u))
}

// use marks a's rework as used, in the attempt and in the record.
func (b books) use(a *Attempt) error {
	r, err := b.rework(a.Rework.ID) // one that replaced it meanwhile is noted there
	if err != nil {
		return err
	}
	r.Used = a.End
	a.Rework = &r
	return b.putRework(r)
}

func (b books) rework(id uint64) (Rework, error) {
	return get[Rework](b.reworks, idKey(id), ErrNoRework)
}

func (b books) putRework(r Rework) error { return put(b.reworks, idKey(r.ID), r) }
