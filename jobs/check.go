package jobs

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// Progress is told how far a long check has come: one step after the other, each
// of so many things, until all are done. An error that it returns ends the check.
type Progress func(step string, done, total int) error

// The steps of a check.
const (
	Pages    = "pages"
	Attempts = "attempts"
	Units    = "units"
)

// Check reads the whole store and returns what is wrong with it: pages that are
// lost or used twice, records that cannot be read, indexes and summaries that do
// not agree with the attempts, attempts that are missing. Writers go on meanwhile.
func (s *Store) Check() error { return s.Verify(nil) }

// Verify is Check and tells how far it has come; tell may be nil. If the pages of
// the store turn out to be damaged, nothing is written to it any more.
func (s *Store) Verify(tell Progress) error {
	if tell == nil {
		tell = func(string, int, int) error { return nil }
	}
	if err := s.guarded(func() error { return s.verify(tell) }); err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	return nil
}

func (s *Store) verify(tell Progress) (err error) {
	tx, roots, err := s.snapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	var stopped error
	err = roots.whole(s.file, s.db.Info().PageSize, func(step string, done, total int) error {
		stopped = tell(step, done, total)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	if err != nil {
		return s.condemn(fmt.Errorf("%w (%w)", ErrDamaged, err))
	}
	c := newChecker(tx, tell)
	return errors.Join(c.checkAttempts(), c.checkUnits(), c.checkReworks())
}

// snapshot begins a transaction for reading, and reads its roots before the next
// writers put theirs over them.
func (s *Store) snapshot() (*bbolt.Tx, roots, error) {
	s.writer.Lock()
	defer s.writer.Unlock()
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, roots{}, err
	}
	r, err := rootsOf(s.file, s.db.Info().PageSize, uint64(tx.ID()))
	if err != nil {
		return nil, roots{}, errors.Join(err, tx.Rollback())
	}
	return tx, r, nil
}
