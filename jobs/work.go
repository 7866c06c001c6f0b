package jobs

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrFinished is returned when an attempt that is finished is to be changed.
	ErrFinished = errors.New("the attempt is already finished")
	// ErrOtherUnit is returned when an attempt that has a unit is to be bound to another one.
	ErrOtherUnit = errors.New("the attempt already has another unit")
	// ErrNotGranted is returned when a pass is recorded by an attempt that was not allowed to work on its unit.
	ErrNotGranted = errors.New("the attempt was not allowed to work on this unit")
)

// maxName bounds the names that attempts are found by, in bytes.
const maxName = 1000

// Begin records a new attempt and returns it with its ID. It is on disk when
// Begin returns. Slot or Path is required; the unit is not known yet, and all
// that belongs to later steps must be empty. A zero Start means now.
func (s *Store) Begin(a Attempt) (Attempt, error) {
	switch {
	case a.Slot == "" && a.Path == "":
		return Attempt{}, errors.New("begin attempt: a slot or a path is required")
	case len(a.Slot) > maxName || len(a.Release) > maxName:
		return Attempt{}, fmt.Errorf("begin attempt: the name of a slot or a release has more than %d bytes", maxName)
	case a.ID != 0 || a.Unit != "" || !a.Open():
		return Attempt{}, errors.New("begin attempt: it already has an ID, a unit or an outcome")
	}
	a = Attempt{
		Slot: a.Slot, Path: a.Path, Chip: a.Chip, Release: a.Release, ReleaseDigest: a.ReleaseDigest,
		Tool: a.Tool, Start: moment(a.Start), Current: a.Current,
	}
	err := s.batch(func(b books) (err error) {
		a.ID, err = b.begin(a)
		return err
	})
	if err != nil {
		return Attempt{}, fmt.Errorf("begin attempt in slot %s: %w", a.Slot, err)
	}
	return a, nil
}

func (b books) begin(a Attempt) (uint64, error) {
	var err error
	if a.ID, err = b.attempts.NextSequence(); err != nil {
		return 0, err
	}
	key := startKey("", a.Start, a.ID)
	return a.ID, errors.Join(b.byStart.Put(key, nil), b.open.Put(key, nil), b.index(a), b.putAttempt(a))
}

// Identify binds unit, a device ID, to open attempt id and decides what may be
// done to it, in one transaction: of any number of attempts that name one unit
// at the same time one is granted it and the others are told Busy. Only a
// granted attempt becomes the unit's open attempt.
//
// A rework takes Unit.Passed away at once, since a half-reworked unit is not a
// passed one, and stays armed until an attempt passes with it, it expires or it is
// cancelled: then the verdict is Lapsed until another one is allowed. A rework of
// the NVS partition alone is given only while the firmware beside it is known to
// be good; else the verdict is ReworkAll.
//
// Asking again for the same unit repeats the verdict; for another one it
// returns ErrOtherUnit.
func (s *Store) Identify(id uint64, unit, chip string) (Decision, error) {
	var d Decision
	err := checkUnitID(unit)
	if err == nil {
		err = s.batch(func(b books) (err error) {
			d, err = b.identify(id, unit, chip, moment(time.Time{}))
			return err
		})
	}
	if err != nil {
		return Decision{}, fmt.Errorf("identify attempt %d: %w", id, err)
	}
	return d, nil
}

func (b books) identify(id uint64, unit, chip string, now time.Time) (Decision, error) {
	a, err := b.openAttempt(id)
	if err != nil {
		return Decision{}, err
	}
	u, err := b.unit(unit)
	switch {
	case errors.Is(err, ErrNoUnit):
		u = Unit{ID: unit, First: a.Start}
	case err != nil:
		return Decision{}, err
	}
	if a.Unit != "" && a.Unit != unit {
		return Decision{}, fmt.Errorf("%w: %s, not %s", ErrOtherUnit, a.Unit, unit)
	}
	if a.Unit == "" {
		a.Unit, a.Chip, a.Verdict = unit, chip, u.decide(now)
		u.Chip = chip
		if a.Verdict == ReworkNVS || a.Verdict == ReworkAll {
			a.Rework = u.Rework
		}
		u.identified(a)
		if err := errors.Join(b.byUnit.Put(startKey(unit, a.Start, id), nil), b.putAttempt(a), b.putUnit(u)); err != nil {
			return Decision{}, err
		}
	}
	d := Decision{Verdict: a.Verdict, Unit: u, Rework: a.Rework}
	if a.Verdict == Busy && u.Open != 0 {
		if d.Other, err = b.attempt(u.Open); err != nil {
			return Decision{}, err
		}
	}
	return d, nil
}

// EndPhase adds a phase that has ended to open attempt id. It is on disk when
// EndPhase returns; slots that end phases at the same time share one sync.
func (s *Store) EndPhase(id uint64, p Phase) error {
	err := p.check()
	if err == nil {
		p.Start = moment(p.Start)
		err = s.batch(func(b books) error { return b.endPhase(id, p) })
	}
	if err != nil {
		return fmt.Errorf("end phase of attempt %d: %w", id, err)
	}
	return nil
}

func (b books) endPhase(id uint64, p Phase) error {
	a, err := b.openAttempt(id)
	if err != nil {
		return err
	}
	a.Phases, a.Current = append(a.Phases, p), p.Next
	return b.putAttempt(a)
}

// Finish closes open attempt id and brings its unit's summary up to date.
//
// It returns ErrUnproven for a pass without a unit, without verified regions or
// without the boot check (unless that is off), ErrNotGranted for a pass on a
// unit that Identify did not grant, and ErrFinished the second time.
func (s *Store) Finish(id uint64, r Result) (Attempt, error) {
	var a Attempt
	err := r.check()
	if err == nil {
		r.End = moment(r.End)
		err = s.batch(func(b books) (err error) {
			a, err = b.finish(id, r)
			return err
		})
	}
	if err != nil {
		return Attempt{}, fmt.Errorf("finish attempt %d: %w", id, err)
	}
	return a, nil
}

func (b books) finish(id uint64, r Result) (Attempt, error) {
	a, err := b.openAttempt(id)
	if err != nil {
		return a, err
	}
	if r.Outcome == Pass && a.Unit == "" {
		return a, fmt.Errorf("%w: the unit was never identified", ErrUnproven)
	}
	if r.Outcome == Pass && !a.Verdict.Grants() {
		return a, fmt.Errorf("%w: %s", ErrNotGranted, a.Verdict)
	}
	a.Outcome, a.End, a.Verified, a.Written = r.Outcome, r.End, slices.Clone(r.Verified), r.Written
	a.BootChecked, a.Credential, a.Current = r.BootChecked, r.Credential, ""
	if f := r.Firmware; f != nil && a.Verdict == ReworkNVS {
		a.Firmware = new(*f)
	}
	for _, n := range r.Notes {
		a.Notes = append(a.Notes, sentence(n))
	}
	if f := r.Failure; f != nil {
		a.Failure = &Failure{Phase: f.Phase, Kind: f.Kind, Blame: f.Blame, Text: sentence(f.Text), Hint: sentence(f.Hint)}
	}
	return a, b.close(&a)
}

// close records the end of a, whose outcome is set, in all books.
func (b books) close(a *Attempt) error {
	if a.Outcome == Pass && a.Rework != nil {
		if err := b.use(a); err != nil {
			return err
		}
	}
	if a.Verdict.Grants() {
		u, err := b.unit(a.Unit)
		if err != nil {
			return err
		}
		u.finished(*a)
		if err := b.putUnit(u); err != nil {
			return err
		}
	}
	return errors.Join(b.open.Delete(startKey("", a.Start, a.ID)), b.index(*a), b.putAttempt(*a))
}

// openAttempt reads an attempt that may still be changed.
func (b books) openAttempt(id uint64) (Attempt, error) {
	a, err := b.attempt(id)
	if err == nil && !a.Open() {
		err = fmt.Errorf("%w: %s", ErrFinished, a.Outcome)
	}
	return a, err
}
