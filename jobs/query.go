package jobs

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// pageRecords is how many records an iterator looks at in one transaction. A
// reader that keeps a transaction open while it writes to a slow client would
// in the end hold up every slot, so iterators read a page and let go.
const pageRecords = 256

// pageKeys is how many keys a search compares in one transaction; they cost
// much less than records.
const pageKeys = 64 * pageRecords

// Filter selects attempts. Empty fields select all.
type Filter struct {
	Unit    string    // device ID
	Slot    string    // name of the slot
	Outcome Outcome   //
	Release string    // name of the release
	Open    bool      // only attempts not yet finished
	Since   time.Time // started then or later
	Until   time.Time // started before then
	After   uint64    // ID of an attempt: only those that come after it in the list
	Limit   int       // at most so many
}

func (f Filter) matches(a Attempt) bool {
	return (f.Unit == "" || a.Unit == f.Unit) &&
		(f.Slot == "" || a.Slot == f.Slot) &&
		(f.Outcome == "" || a.Outcome == f.Outcome) &&
		(f.Release == "" || a.Release == f.Release) &&
		(!f.Open || a.Open())
}

// Unit returns the summary of a unit, or ErrNoUnit.
func (s *Store) Unit(id string) (u Unit, err error) {
	if err = checkUnitID(id); err != nil {
		return Unit{}, err
	}
	err = s.view(func(b books) error {
		u, err = b.unit(id)
		return err
	})
	if err != nil {
		return Unit{}, fmt.Errorf("unit %s: %w", id, err)
	}
	return u, nil
}

// Attempt returns an attempt, or ErrNoAttempt.
func (s *Store) Attempt(id uint64) (a Attempt, err error) {
	err = s.view(func(b books) error {
		a, err = b.attempt(id)
		return err
	})
	if err != nil {
		return Attempt{}, fmt.Errorf("attempt %d: %w", id, err)
	}
	return a, nil
}

// Attempts yields the attempts that f selects, the one started last first. What
// is recorded meanwhile may or may not be among them. An error ends it.
func (s *Store) Attempts(f Filter) iter.Seq2[Attempt, error] {
	return func(yield func(Attempt, error) bool) {
		if f.Unit != "" {
			if err := checkUnitID(f.Unit); err != nil {
				yield(Attempt{}, err)
				return
			}
		}
		to, err := s.end(f)
		if err != nil {
			yield(Attempt{}, fmt.Errorf("attempts: %w", err))
			return
		}
		for left := f.Limit; to != nil; {
			var page []Attempt
			err := s.view(func(b books) (err error) {
				page, to, err = b.page(f, to, left)
				return err
			})
			if err != nil {
				yield(Attempt{}, fmt.Errorf("attempts: %w", err))
				return
			}
			for _, a := range page {
				if !yield(a, nil) {
					return
				}
			}
			if left -= len(page); f.Limit > 0 && left <= 0 {
				return
			}
		}
	}
}

// page reads the attempts whose index keys are before to, newest first, until it
// has found limit (if positive) or looked at pageRecords. The key it returns is
// where to go on, nil at the end.
func (b books) page(f Filter, to []byte, limit int) (found []Attempt, next []byte, err error) {
	begin, c := f.begin(), b.index(f).Cursor()
	looked := 0
	for k := before(c, to); k != nil && bytes.Compare(k, begin) >= 0; k, _ = c.Prev() {
		a, err := b.attempt(idOf(k))
		if err != nil {
			return nil, nil, fmt.Errorf("attempt %d: %w", idOf(k), err)
		}
		if f.matches(a) {
			found = append(found, a)
		}
		looked++
		if looked == pageRecords || limit > 0 && len(found) == limit {
			return found, slices.Clone(k), nil
		}
	}
	return found, nil, nil
}

// index is the smallest index that holds all that f selects.
func (b books) index(f Filter) *bbolt.Bucket {
	switch {
	case f.Unit != "":
		return b.byUnit
	case f.Open:
		return b.open
	default:
		return b.byStart
	}
}

// begin is the first key of f in its index.
func (f Filter) begin() []byte { return startKey(f.Unit, f.Since, 0) }

// end is the key behind the last of f in its index.
func (s *Store) end(f Filter) ([]byte, error) {
	end := append([]byte(f.Unit), bytes.Repeat([]byte{0xFF}, 16)...)
	if !f.Until.IsZero() {
		end = startKey(f.Unit, f.Until, 0)
	}
	if f.After == 0 {
		return end, nil
	}
	a, err := s.Attempt(f.After)
	if after := startKey(f.Unit, a.Start, a.ID); bytes.Compare(after, end) < 0 {
		end = after
	}
	return end, err
}

// before moves c to the last key before to.
func before(c *bbolt.Cursor, to []byte) []byte {
	k, _ := c.Seek(to)
	if k == nil {
		k, _ = c.Last()
		return k
	}
	k, _ = c.Prev()
	return k
}

// Units yields all units in order of their IDs. An error ends it.
func (s *Store) Units() iter.Seq2[Unit, error] { return s.SearchUnits("", "") }

// SearchUnits yields the units whose IDs hold part, in order of their IDs,
// beginning with the first one behind after. An error ends it.
func (s *Store) SearchUnits(part, after string) iter.Seq2[Unit, error] {
	from := []byte(nil)
	if after != "" {
		from = append([]byte(after), 0)
	}
	match := func(id []byte) bool { return bytes.Contains(id, []byte(part)) }
	return records[Unit](s, "unit", func(b books) *bbolt.Bucket { return b.units }, from, match)
}

// Reworks yields the reworks of a unit, or of all units if unit is empty, in
// the order in which they were allowed. An error ends it.
func (s *Store) Reworks(unit string) iter.Seq2[Rework, error] {
	every := func([]byte) bool { return true }
	all := records[Rework](s, "rework", func(b books) *bbolt.Bucket { return b.reworks }, nil, every)
	if unit == "" {
		return all
	}
	return func(yield func(Rework, error) bool) {
		var list []Rework
		err := checkUnitID(unit)
		if err == nil {
			err = s.view(func(b books) (err error) {
				list, err = b.reworksOf(unit)
				return err
			})
		}
		if err != nil {
			yield(Rework{}, fmt.Errorf("reworks: %w", err))
			return
		}
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (b books) reworksOf(unit string) (list []Rework, err error) {
	c := b.reworksByUnit.Cursor()
	for k, _ := c.Seek([]byte(unit)); bytes.HasPrefix(k, []byte(unit)); k, _ = c.Next() {
		r, err := get[Rework](b.reworks, idKey(idOf(k)), fmt.Errorf("no rework %d", idOf(k)))
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// records yields the records of a bucket from a key on whose keys match, in key
// order, a page a transaction. what is the word for one of them.
func records[T any](s *Store, what string, of func(books) *bbolt.Bucket, from []byte, match func(key []byte) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for more := true; more; {
			var page []T
			err := s.view(func(b books) error {
				c := of(b).Cursor()
				k, data := c.Seek(from)
				for looked := 0; k != nil && len(page) < pageRecords && looked < pageKeys; k, data = c.Next() {
					looked++
					if !match(k) {
						continue
					}
					v, err := decode[T](data)
					if err != nil {
						return fmt.Errorf("%s %s: %w", what, keyText(k), err)
					}
					page = append(page, v)
				}
				from, more = slices.Clone(k), k != nil
				return nil
			})
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}
