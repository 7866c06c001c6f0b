package jobs

import (
	"fmt"
	"time"
)

// Recover closes the attempts that were open when the store was opened: the
// process that began them is gone. They become aborted, and their units are free
// to be worked on again. It returns them. Attempts begun since are left alone.
func (s *Store) Recover(now time.Time) ([]Attempt, error) {
	var closed []Attempt
	err := s.update(func(b books) (err error) {
		closed, err = b.recover(s.inherited, moment(now))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("recover open attempts: %w", err)
	}
	return closed, nil
}

// recover closes the open attempts up to ID last.
func (b books) recover(last uint64, now time.Time) ([]Attempt, error) {
	var ids []uint64
	c := b.open.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if id := idOf(k); id <= last {
			ids = append(ids, id)
		}
	}
	var closed []Attempt
	for _, id := range ids {
		a, err := b.openAttempt(id)
		if err != nil {
			return nil, fmt.Errorf("attempt %d: %w", id, err)
		}
		a.Outcome, a.End, a.Failure = Aborted, now, stopped(a)
		a.Current = ""
		if err := b.close(&a); err != nil {
			return nil, fmt.Errorf("attempt %d: %w", id, err)
		}
		closed = append(closed, a)
	}
	return closed, nil
}

// stopped says how far a had come when flashd was stopped.
func stopped(a Attempt) *Failure {
	f := &Failure{
		Phase: a.Current, Kind: "stopped", Blame: BlameRig,
		Text: "flashd was stopped before the first phase had ended",
		Hint: "Leave the unit in its slot or plug it in again: it is done from the start.",
	}
	switch {
	case a.Current != "":
		f.Text = fmt.Sprintf("flashd was stopped during phase %s", a.Current)
	case len(a.Phases) > 0:
		f.Text = fmt.Sprintf("flashd was stopped in the phase after %s", a.Phases[len(a.Phases)-1].Name)
	}
	return f
}
