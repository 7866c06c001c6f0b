package jobs

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"

	"go.etcd.io/bbolt"
)

// pageRecords is how many records an iterator looks at in one transaction. A
// reader that keeps a transaction open while it writes to a slow client would
// in the end hold up every slot, so iterators read a page and let go.
const pageRecords = 256

// pageKeys is how many keys a search compares in one transaction; they cost
// much less than records.
const pageKeys = 64 * pageRecords

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

// Reworks yields the reworks of a unit, or of all units if unit is empty, the one
// allowed last first. Where before is not 0, those that were allowed before the
// rework with that ID are all. An error ends it.
func (s *Store) Reworks(unit string, before uint64) iter.Seq2[Rework, error] {
	return func(yield func(Rework, error) bool) {
		for end := cmp.Or(before, math.MaxUint64); ; {
			page, err := s.reworksBefore(end, unit)
			if err != nil {
				yield(Rework{}, fmt.Errorf("reworks: %w", err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				end = r.ID
			}
			if len(page) < pageRecords {
				return
			}
		}
	}
}

func (s *Store) reworksBefore(end uint64, unit string) (page []Rework, err error) {
	if unit != "" {
		if err := checkUnitID(unit); err != nil {
			return nil, err
		}
	}
	err = s.view(func(b books) error {
		all := list{b.reworks.Cursor(), nil}
		if unit != "" {
			all = list{b.reworksByUnit.Cursor(), []byte(unit)}
		}
		for key := all.before(idKey(end), false); key != nil && len(page) < pageRecords; key = all.before(key, false) {
			r, err := get[Rework](b.reworks, key, fmt.Errorf("no rework %d", idOf(key)))
			if err != nil {
				return err
			}
			page = append(page, r)
		}
		return nil
	})
	return page, err
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
