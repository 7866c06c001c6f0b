package jobs

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// pageSeeks is how many keys a search looks up in one transaction.
const pageSeeks = 16 * pageRecords

// Filter selects attempts. Empty fields select all.
type Filter struct {
	Unit    string    // device ID
	Slot    string    // name of the slot
	Outcome Outcome   //
	Release string    // name of the release
	Kind    string    // kind of the failure: "no_sync"
	Phase   string    // phase of the failure
	Blame   Blame     // of the failure
	Open    bool      // only attempts not yet finished
	Since   time.Time // started then or later
	Until   time.Time // started before then
	After   uint64    // ID of an attempt: only those that come after it in the list
	Limit   int       // at most so many
}

// Check reports a field whose value no attempt can have. The error begins with the
// name of the field.
func (f Filter) Check() error {
	switch {
	case f.Outcome != "" && !slices.Contains(Outcomes, f.Outcome):
		return fmt.Errorf("outcome %.40q: want one of %q", f.Outcome, Outcomes)
	case f.Kind != "" && !wordRE.MatchString(f.Kind):
		return fmt.Errorf("kind %.40q: want the kind of a failure, such as no_sync", f.Kind)
	case f.Phase != "" && !wordRE.MatchString(f.Phase):
		return fmt.Errorf("phase %.40q: want the phase of a failure, such as write", f.Phase)
	case f.Blame != "" && f.Blame != BlameUnit && f.Blame != BlameRig:
		return fmt.Errorf("blame %.40q: want %s or %s", f.Blame, BlameUnit, BlameRig)
	case f.Limit < 0:
		return fmt.Errorf("limit %d: want how many there are to be at most", f.Limit)
	case f.Unit != "":
		return checkUnitID(f.Unit)
	}
	return nil
}

// Selects reports whether f selects a, were it in the store: After and Limit are
// about a list, and do not count.
func (f Filter) Selects(a Attempt) bool {
	had := a.words()
	for _, w := range f.words() {
		if !slices.ContainsFunc(had, func(h []byte) bool { return bytes.Equal(h, w) }) {
			return false
		}
	}
	return (f.Unit == "" || a.Unit == f.Unit) && (!f.Open || a.Open()) &&
		!a.Start.Before(f.Since) && (f.Until.IsZero() || a.Start.Before(f.Until))
}

// Attempts yields the attempts that f selects, the one started last first. What
// is recorded meanwhile may or may not be among them. An error ends it.
func (s *Store) Attempts(f Filter) iter.Seq2[Attempt, error] {
	return func(yield func(Attempt, error) bool) {
		if err := f.Check(); err != nil {
			yield(Attempt{}, err)
			return
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

// end is the key, START ID, behind the last attempt of f.
func (s *Store) end(f Filter) ([]byte, error) {
	end := bytes.Repeat([]byte{0xFF}, 16)
	if !f.Until.IsZero() {
		end = startKey("", f.Until, 0)
	}
	if f.After == 0 {
		return end, nil
	}
	a, err := s.Attempt(f.After)
	if after := startKey("", a.Start, a.ID); bytes.Compare(after, end) < 0 {
		end = after
	}
	return end, err
}

// page reads the attempts of f whose keys are before to, newest first, until it
// has found limit (if positive) or enough for one transaction. The key it
// returns is where to go on, nil at the end.
func (b books) page(f Filter, to []byte, limit int) (found []Attempt, next []byte, err error) {
	begin, search := startKey("", f.Since, 0), search{lists: b.lists(f)}
	for {
		key, agreed := search.before(to)
		if key == nil || bytes.Compare(key, begin) < 0 {
			return found, nil, nil
		}
		if !agreed {
			return found, append(slices.Clone(key), 0), nil // itself may be one
		}
		a, err := b.attempt(idOf(key))
		if err != nil {
			return nil, nil, fmt.Errorf("attempt %d: %w", idOf(key), err)
		}
		found, to = append(found, a), slices.Clone(key)
		if len(found) == pageRecords || len(found) == limit {
			return found, to, nil
		}
	}
}

// lists returns the indexes that name all that f selects, those of the fewest
// attempts first; nil if one of them is empty.
func (b books) lists(f Filter) (lists []list) {
	if f.Unit != "" {
		lists = append(lists, list{b.byUnit.Cursor(), []byte(f.Unit)})
	}
	if f.Open {
		lists = append(lists, list{b.open.Cursor(), nil})
	}
	for _, w := range f.words() {
		bucket := b.byWord.Bucket(w)
		if bucket == nil {
			return nil
		}
		lists = append(lists, list{bucket.Cursor(), nil})
	}
	if len(lists) == 0 {
		lists = append(lists, list{b.byStart.Cursor(), nil})
	}
	return lists
}

// list is an index, or the part of one with a prefix: keys PREFIX START ID.
type list struct {
	cursor *bbolt.Cursor
	prefix []byte
}

// before returns the last key, without the prefix, that is before to, or is to
// itself if that counts; nil if there is none.
func (l list) before(to []byte, itself bool) []byte {
	at := slices.Concat(l.prefix, to)
	k, _ := l.cursor.Seek(at)
	switch {
	case itself && bytes.Equal(k, at):
	case k == nil:
		k, _ = l.cursor.Last()
	default:
		k, _ = l.cursor.Prev()
	}
	key, ok := bytes.CutPrefix(k, l.prefix)
	if !ok || k == nil {
		return nil
	}
	return key
}

// search finds the keys that are in all lists.
type search struct {
	lists  []list
	looked int // how many keys it has compared
}

// before returns the last key before to that is in all lists, nil if there is
// none. If it has looked at enough keys for one transaction it gives up: then it
// returns where it is, and that the lists do not agree on it.
//
// Each list in turn jumps to the place where the one before it is, so that the
// shortest list, not the longest, decides how long it takes.
func (s *search) before(to []byte) (key []byte, agreed bool) {
	if len(s.lists) == 0 {
		return nil, false
	}
	key, agree := s.lists[0].before(to, false), 1
	for i := 1; key != nil && agree < len(s.lists); i++ {
		if s.looked++; s.looked > pageSeeks {
			return key, false
		}
		k := s.lists[i%len(s.lists)].before(key, true)
		if !bytes.Equal(k, key) {
			agree = 0
		}
		key, agree = k, agree+1
	}
	return key, true
}
