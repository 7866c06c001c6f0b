package jobs

import (
	"fmt"
	"io"
)

// Backup writes the store to w as it is at this moment, and returns how many bytes
// that is. Writers go on meanwhile; what they write is not in it. A file of it is
// a store: OpenReadOnly and Check tell whether it arrived whole.
func (s *Store) Backup(w io.Writer) (n int64, err error) {
	err = s.guarded(func() error {
		tx, err := s.db.Begin(false)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // nothing to undo
		n, err = tx.WriteTo(w)
		return err
	})
	if err != nil {
		return n, fmt.Errorf("back up store: %w", err)
	}
	return n, nil
}
