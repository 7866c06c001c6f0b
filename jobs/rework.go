package jobs

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoUnit is returned when the store has never seen the unit.
	ErrNoUnit = errors.New("no such unit")
	// ErrNotPassed is returned when a rework is asked for a unit that is not done and so needs none.
	ErrNotPassed = errors.New("the unit has not passed, so it needs no rework: plug it in again")
)

// Rework is the recorded permission to provision a unit again.
type Rework struct {
	ID      uint64    `json:"id"`
	Unit    string    `json:"unit"`   // device ID
	Reason  string    `json:"reason"` // why
	By      string    `json:"by"`     // who allowed it
	Reflash bool      `json:"reflash"`
	Allowed time.Time `json:"allowed"`       // now if zero
	Used    time.Time `json:"used,omitzero"` // when an attempt passed with it; zero until then
}

// AllowRework records r and arms it: the unit's next attempt writes its NVS
// partition, or everything if r.Reflash is set. It stays armed until an attempt
// passes with it. A later one replaces it; both stay in the record.
//
// It returns ErrNoUnit for a unit never seen and ErrNotPassed for one that is
// not done and has no rework armed, since that one is provisioned anyway.
func (s *Store) AllowRework(r Rework) (Rework, error) {
	if err := checkUnitID(r.Unit); err != nil {
		return Rework{}, fmt.Errorf("rework: %w", err)
	}
	r.Reason, r.By = sentence(r.Reason), sentence(r.By)
	switch {
	case r.Reason == "":
		return Rework{}, fmt.Errorf("rework of %s: a reason is required", r.Unit)
	case r.By == "":
		return Rework{}, fmt.Errorf("rework of %s: the name of who allows it is required", r.Unit)
	}
	r.Allowed, r.Used = moment(r.Allowed), time.Time{}
	err := s.update(func(b books) error {
		var err error
		r, err = b.allow(r)
		return err
	})
	if err != nil {
		return Rework{}, fmt.Errorf("rework of %s: %w", r.Unit, err)
	}
	return r, nil
}

func (b books) allow(r Rework) (Rework, error) {
	u, err := b.unit(r.Unit)
	if err != nil {
		return r, err
	}
	if !u.Passed && u.Rework == nil {
		return r, ErrNotPassed
	}
	if r.ID, err = b.reworks.NextSequence(); err != nil {
		return r, err
	}
	u.Rework = &r
	if err := b.reworksByUnit.Put(append([]byte(r.Unit), idKey(r.ID)...), nil); err != nil {
		return r, err
	}
	if err := put(b.reworks, idKey(r.ID), r); err != nil {
		return r, err
	}
	return r, b.putUnit(u)
}

// use marks a's rework as used, in the attempt and in the record.
func (b books) use(a *Attempt) error {
	used := *a.Rework
	used.Used = a.End
	a.Rework = &used
	return put(b.reworks, idKey(used.ID), used)
}
