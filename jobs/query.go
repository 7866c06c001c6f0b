package jobs

import (
	"bytes"
	"fmt"
	"iter"
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
