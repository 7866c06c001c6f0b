package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"go.etcd.io/bbolt"
)

// checker compares the records of one transaction with each other.
type checker struct {
	books
	tell  Progress
	words map[string]*index // those met so far
	sum   struct{ attempts, identified, open int }
	whole bool // whether sum is that of all attempts

	ofUnits struct{ listed, attempts int } // attempts of units: in the store, and with those in archives
	armed   int                            // reworks that their units have armed
}

func newChecker(tx *bbolt.Tx, tell Progress) *checker {
	return &checker{books: booksOf(tx), tell: tell, words: map[string]*index{}}
}

// index is one that was compared with the attempts.
type index struct {
	*bbolt.Bucket
	want int // entries
}

// tellEvery is how many records are read before the progress is told again.
const tellEvery = 1000

// checkAttempts compares every attempt with the indexes that must name it, and
// counts that these name no other.
func (c *checker) checkAttempts() error {
	all := c.attempts.Stats().KeyN
	err := each(c.attempts, func(key []byte, s stored) error {
		a, err := s.attempt()
		if err != nil {
			return err
		}
		if a.ID != idOf(key) {
			return fmt.Errorf("it says that it is attempt %d", a.ID)
		}
		if c.sum.attempts++; c.sum.attempts%tellEvery == 0 {
			if err := c.tell(Attempts, c.sum.attempts, all); err != nil {
				return err
			}
		}
		return c.checkIndexes(a)
	})
	if err != nil {
		return fmt.Errorf("attempts: %w", err)
	}
	if err := c.checkIndexSizes(); err != nil {
		return err
	}
	if err := c.checkNoneLost(); err != nil {
		return err
	}
	return c.tell(Attempts, all, all)
}

func (c *checker) checkIndexes(a Attempt) error {
	key := startKey("", a.Start, a.ID)
	switch {
	case !has(c.byStart, key):
		return fmt.Errorf("missing in %s", bucketByStart)
	case has(c.open, key) != a.Open():
		return fmt.Errorf("outcome %q does not agree with %s", a.Outcome, bucketOpen)
	case a.Unit != "" && !has(c.byUnit, startKey(a.Unit, a.Start, a.ID)):
		return fmt.Errorf("missing in %s", bucketByUnit)
	}
	for _, w := range a.words() {
		in := c.words[string(w)]
		if in == nil {
			in = &index{Bucket: c.byWord.Bucket(w)}
			c.words[string(w)] = in
		}
		if in.Bucket == nil || !has(in.Bucket, key) {
			return fmt.Errorf("missing in %s under %.60q", bucketByWord, w)
		}
		in.want++
	}
	c.sum.identified += count(a.Unit != "")
	c.sum.open += count(a.Open())
	return nil
}

func (c *checker) checkIndexSizes() error {
	for _, in := range []struct {
		name []byte
		index
	}{
		{bucketByStart, index{c.byStart, c.sum.attempts}},
		{bucketByUnit, index{c.byUnit, c.sum.identified}},
		{bucketOpen, index{c.open, c.sum.open}},
	} {
		if n := in.Stats().KeyN; n != in.want {
			return fmt.Errorf("%s has %d entries, want %d", in.name, n, in.want)
		}
	}
	return c.byWord.ForEachBucket(func(w []byte) error {
		want := 0
		if in := c.words[string(w)]; in != nil {
			want = in.want
		}
		if n := c.byWord.Bucket(w).Stats().KeyN; n != want {
			return fmt.Errorf("%s has %d entries under %.60q, want %d", bucketByWord, n, w, want)
		}
		return nil
	})
}

// checkNoneLost counts that every attempt ever begun is here or in an archive.
func (c *checker) checkNoneLost() error {
	var archived, identified int
	err := each(c.archives, func(key []byte, r Archive) error {
		if r.ID != idOf(key) {
			return fmt.Errorf("it says that it is archive %d", r.ID)
		}
		archived += r.Deleted
		identified += r.Deleted - r.Nameless
		return nil
	})
	if err != nil {
		return fmt.Errorf("archives: %w", err)
	}
	if begun := int(c.attempts.Sequence()); c.sum.attempts+archived != begun {
		return fmt.Errorf("of %d attempts, %d are here and %d were archived", begun, c.sum.attempts, archived)
	}
	c.sum.identified += identified
	c.whole = true
	return nil
}

// checkUnits compares every unit's summary with its attempts.
func (c *checker) checkUnits() error {
	all, done := c.units.Stats().KeyN, 0
	err := each(c.units, func(key []byte, u Unit) error {
		if done++; done%tellEvery == 0 {
			if err := c.tell(Units, done, all); err != nil {
				return err
			}
		}
		if u.ID != string(key) {
			return fmt.Errorf("it says that it is unit %s", u.ID)
		}
		return c.checkUnit(u)
	})
	if err != nil {
		return fmt.Errorf("units: %w", err)
	}
	if n := c.byUnit.Stats().KeyN; n != c.ofUnits.listed {
		return fmt.Errorf("%s has %d entries, of which %d are of known units", bucketByUnit, n, c.ofUnits.listed)
	}
	if c.whole && c.sum.identified != c.ofUnits.attempts {
		return fmt.Errorf("units have %d attempts, want %d, those in archives included", c.ofUnits.attempts, c.sum.identified)
	}
	return c.tell(Units, all, all)
}

func (c *checker) checkUnit(u Unit) error {
	sum, open := u.Archived, uint64(0)
	at, key := c.byUnit.Cursor(), []byte(u.ID)
	for k, _ := at.Seek(key); bytes.HasPrefix(k, key); k, _ = at.Next() {
		a, err := c.attempt(idOf(k))
		if err != nil {
			return fmt.Errorf("attempt %d: %w", idOf(k), err)
		}
		sum.add(a)
		if a.Verdict.Grants() && a.Open() {
			open = a.ID
		}
		c.ofUnits.listed++
	}
	c.ofUnits.attempts += sum.Attempts + sum.Refused
	if sum != (Archived{u.Attempts, u.Refused, u.Fails}) || open != u.Open {
		return fmt.Errorf("its summary (%d attempts, %d refused, %d failed, open %d) is not that of its attempts (%d, %d, %d, %d)",
			u.Attempts, u.Refused, u.Fails, u.Open, sum.Attempts, sum.Refused, sum.Fails, open)
	}
	if u.Passed && (u.Open != 0 || !u.Firmware || u.LastOutcome != Pass) {
		return fmt.Errorf("passed, with attempt %d open, firmware %t, last outcome %q", u.Open, u.Firmware, u.LastOutcome)
	}
	return nil
}

// checkReworks compares every rework with its unit.
func (c *checker) checkReworks() error {
	err := each(c.reworks, func(key []byte, r Rework) error {
		if r.ID != idOf(key) {
			return fmt.Errorf("it says that it is rework %d", r.ID)
		}
		return c.checkRework(r)
	})
	if err != nil {
		return fmt.Errorf("reworks: %w", err)
	}
	err = each(c.units, func(_ []byte, u Unit) error {
		c.armed -= count(u.Rework != nil)
		return nil
	})
	if err == nil && c.armed != 0 {
		err = errors.New("a unit has a rework armed that is not in the record")
	}
	return err
}

func (c *checker) checkRework(r Rework) error {
	if !has(c.reworksByUnit, append([]byte(r.Unit), idKey(r.ID)...)) {
		return fmt.Errorf("missing in %s", bucketReworksByUnit)
	}
	u, err := c.unit(r.Unit)
	if err != nil {
		return err
	}
	if u.Rework != nil && u.Rework.ID == r.ID {
		c.armed++
		if !reflect.DeepEqual(*u.Rework, r) || !r.Used.IsZero() || !r.Cancelled.IsZero() || r.ReplacedBy != 0 {
			return fmt.Errorf("unit %s has another version of it armed", u.ID)
		}
	}
	return nil
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
