package jobs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"
)

// newest is how many attempts and reworks Open looks at after flashd was cut off:
// those of minutes. A disk keeps nothing back for longer than some seconds.
const newest = 200

// checkNewest looks for what a disk lost that was cut off: it compares what was
// recorded last, and what is open, with the indexes that must name it, and with the
// summaries of its units.
func (c *checker) checkNewest() error {
	units := map[string]bool{}
	for back := range min(c.attempts.Sequence(), newest) {
		err := c.checkRecorded(c.attempts.Sequence()-back, units)
		archived := errors.Is(err, ErrNoAttempt) && c.archives.Sequence() > 0 // checkNoneLost counts those
		if err != nil && !archived {
			return err
		}
	}
	at := c.open.Cursor()
	for k, _ := at.First(); k != nil; k, _ = at.Next() {
		if err := c.checkRecorded(idOf(k), units); err != nil {
			return err
		}
	}
	for back := range min(c.reworks.Sequence(), newest) {
		id := c.reworks.Sequence() - back
		r, err := c.rework(id)
		if err == nil {
			err = cmp.Or(c.checkRework(r), inOrder(c.reworks, idKey(id)), inOrder(c.reworksByUnit, append([]byte(r.Unit), idKey(id)...)))
		}
		if err != nil {
			return fmt.Errorf("rework %d: %w", id, err)
		}
		units[r.Unit] = true
	}
	for _, id := range slices.Sorted(maps.Keys(units)) {
		u, err := c.unit(id)
		if err == nil {
			err = cmp.Or(c.checkUnit(u), inOrder(c.units, []byte(id)))
		}
		if err != nil {
			return fmt.Errorf("unit %s: %w", id, err)
		}
	}
	return nil
}

// checkRecorded compares an attempt with the indexes, and notes its unit.
func (c *checker) checkRecorded(id uint64, units map[string]bool) error {
	a, err := c.attempt(id)
	if err == nil {
		err = c.checkIndexes(a)
	}
	if err == nil {
		err = c.checkOrder(a)
	}
	if err != nil {
		return fmt.Errorf("attempt %d: %w", id, err)
	}
	if a.Unit != "" {
		units[a.Unit] = true
	}
	return nil
}

// checkOrder looks at what is beside an attempt, and beside its entries in indexes.
func (c *checker) checkOrder(a Attempt) error {
	key := startKey("", a.Start, a.ID)
	err := cmp.Or(inOrder(c.attempts, idKey(a.ID)), inOrder(c.byStart, key), inOrder(c.byUnit, append([]byte(a.Unit), key...)))
	for _, w := range a.words() {
		err = cmp.Or(err, inOrder(c.byWord.Bucket(w), key))
	}
	return err
}

// smallest is what an entry takes of a page at least, in bytes: that of an index.
const smallest = element + 16

// inOrder looks at a page of entries to each side of a key. They are out of order if
// the page is one of before it was split, since it has what its neighbours have.
func inOrder(b *bbolt.Bucket, key []byte) error {
	entries := b.Tx().DB().Info().PageSize / smallest
	c := b.Cursor()
	for direction, step := range map[int]func() (key, value []byte){1: c.Next, -1: c.Prev} {
		was, _ := c.Seek(key)
		for range entries {
			k, _ := step()
			if k == nil {
				break
			}
			if bytes.Compare(k, was) != direction {
				return fmt.Errorf("keys out of order near %s", keyText(key))
			}
			was = k
		}
	}
	return nil
}
