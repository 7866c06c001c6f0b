package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"go.etcd.io/bbolt"
)

// Check reads the whole store and returns what is wrong with it: pages that
// are lost or used twice, records that cannot be read, indexes and summaries
// that do not agree with the attempts. Every writer waits until it is done.
func (s *Store) Check() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if err := s.guarded(s.check); err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	return nil
}

func (s *Store) check() error {
	// bbolt's page check is safe beside writers only in a transaction of theirs.
	tx, err := s.db.Begin(!s.db.IsReadOnly())
	if err != nil {
		return err
	}
	if err = s.checkStructure(tx); err == nil {
		err = checkPages(tx)
	}
	if err == nil {
		b := booksOf(tx)
		err = errors.Join(b.checkAttempts(), b.checkUnits(), b.checkReworks())
	}
	return errors.Join(err, tx.Rollback())
}

// checkStructure comes before anything that bbolt reads.
func (s *Store) checkStructure(tx *bbolt.Tx) error {
	committed := uint64(tx.ID())
	if tx.Writable() {
		committed--
	}
	if err := checkStructure(s.file, s.db.Info().PageSize, committed); err != nil {
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return nil
}

func checkPages(tx *bbolt.Tx) error {
	const enough = 10 // one lost page often drags many others along
	var all []error
	for err := range tx.Check() { // to its end: the checker waits for its reader
		if len(all) < enough {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// checkAttempts compares every attempt with the indexes that must name it, and
// counts that these name no other.
func (b books) checkAttempts() error {
	var total, identified, open int
	err := each(b.attempts, func(key []byte, a Attempt) error {
		if a.ID != idOf(key) {
			return fmt.Errorf("it says that it is attempt %d", a.ID)
		}
		inStart := startKey("", a.Start, a.ID)
		if b.byStart.Get(inStart) == nil {
			return fmt.Errorf("missing in %s", bucketByStart)
		}
		if (b.open.Get(inStart) != nil) != a.Open() {
			return fmt.Errorf("outcome %q does not agree with %s", a.Outcome, bucketOpen)
		}
		if a.Unit != "" && b.byUnit.Get(startKey(a.Unit, a.Start, a.ID)) == nil {
			return fmt.Errorf("missing in %s", bucketByUnit)
		}
		total++
		identified += count(a.Unit != "")
		open += count(a.Open())
		return nil
	})
	if err != nil {
		return fmt.Errorf("attempts: %w", err)
	}
	for _, index := range []struct {
		name   []byte
		bucket *bbolt.Bucket
		want   int
	}{{bucketByStart, b.byStart, total}, {bucketByUnit, b.byUnit, identified}, {bucketOpen, b.open, open}} {
		if n := index.bucket.Stats().KeyN; n != index.want {
			return fmt.Errorf("%s has %d entries, want %d", index.name, n, index.want)
		}
	}
	return nil
}

// checkUnits compares every unit's summary with its attempts.
func (b books) checkUnits() error {
	seen := 0
	err := each(b.units, func(key []byte, u Unit) error {
		if u.ID != string(key) {
			return fmt.Errorf("it says that it is unit %s", u.ID)
		}
		var sum Unit
		c := b.byUnit.Cursor()
		for k, _ := c.Seek(key); bytes.HasPrefix(k, key); k, _ = c.Next() {
			a, err := b.attempt(idOf(k))
			if err != nil {
				return fmt.Errorf("attempt %d: %w", idOf(k), err)
			}
			sum.Attempts += count(a.Verdict.Grants())
			sum.Refused += count(!a.Verdict.Grants())
			sum.Fails += count(a.Verdict.Grants() && a.Outcome == Fail)
			if a.Verdict.Grants() && a.Open() {
				sum.Open = a.ID
			}
			seen++
		}
		if sum.Attempts != u.Attempts || sum.Refused != u.Refused || sum.Fails != u.Fails || sum.Open != u.Open {
			return fmt.Errorf("its summary (%d attempts, %d refused, %d failed, open %d) is not that of its attempts (%d, %d, %d, %d)",
				u.Attempts, u.Refused, u.Fails, u.Open, sum.Attempts, sum.Refused, sum.Fails, sum.Open)
		}
		if u.Passed && (u.Open != 0 || !u.Firmware || u.LastOutcome != Pass) {
			return fmt.Errorf("passed, with attempt %d open, firmware %t, last outcome %q", u.Open, u.Firmware, u.LastOutcome)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("units: %w", err)
	}
	if n := b.byUnit.Stats().KeyN; n != seen {
		return fmt.Errorf("%s has %d entries, of which %d are of known units", bucketByUnit, n, seen)
	}
	return nil
}

// checkReworks compares every rework with its unit.
func (b books) checkReworks() error {
	armed := 0
	err := each(b.reworks, func(key []byte, r Rework) error {
		if r.ID != idOf(key) {
			return fmt.Errorf("it says that it is rework %d", r.ID)
		}
		if b.reworksByUnit.Get(append([]byte(r.Unit), key...)) == nil {
			return fmt.Errorf("missing in %s", bucketReworksByUnit)
		}
		u, err := b.unit(r.Unit)
		if err != nil {
			return err
		}
		if u.Rework != nil && u.Rework.ID == r.ID {
			armed++
			if !reflect.DeepEqual(*u.Rework, r) || !r.Used.IsZero() || !r.Cancelled.IsZero() || r.ReplacedBy != 0 {
				return fmt.Errorf("unit %s has another version of it armed", u.ID)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reworks: %w", err)
	}
	err = each(b.units, func(_ []byte, u Unit) error {
		armed -= count(u.Rework != nil)
		return nil
	})
	if err == nil && armed != 0 {
		err = errors.New("a unit has a rework armed that is not in the record")
	}
	return err
}

// each calls fn for every record of a bucket and names the key of an error.
func each[T any](b *bbolt.Bucket, fn func(key []byte, v T) error) error {
	return b.ForEach(func(k, data []byte) error {
		v, err := decode[T](data)
		if err == nil {
			err = fn(k, v)
		}
		if err != nil {
			return fmt.Errorf("key %s: %w", keyText(k), err)
		}
		return nil
	})
}

// keyText writes an ID in decimal, a unit as it is, and what is neither quoted.
func keyText(key []byte) string {
	switch {
	case len(key) == 8:
		return fmt.Sprint(idOf(key))
	case unitRE.Match(key):
		return string(key)
	default:
		return fmt.Sprintf("%.40q", key)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
