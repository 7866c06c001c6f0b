package jobs

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// Filling is an attempt that Fill records.
type Filling struct {
	Slot, Release, Unit string
	Start               time.Time
	Result              Result
}

// Fill records n finished attempts in few transactions: what the tests need in
// bulk would else take one sync a step.
func (s *Store) Fill(t testing.TB, n int, filling func(i int) Filling) {
	s.db.NoSync = true
	defer func() { s.db.NoSync = false }()
	const share = 20_000
	for from := 0; from < n; from += share {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := booksOf(tx)
			for i := from; i < min(from+share, n); i++ {
				if err := b.fill(filling(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Sync(); err != nil {
		t.Fatal(err)
	}
}

// fill records what Begin, Identify, nine calls of EndPhase and Finish leave behind,
// but writes each record once.
func (b books) fill(f Filling) error {
	id, err := b.attempts.NextSequence()
	if err != nil {
		return err
	}
	u, err := b.unit(f.Unit)
	switch {
	case errors.Is(err, ErrNoUnit):
		u = Unit{ID: f.Unit, First: f.Start}
	case err != nil:
		return err
	}
	u.Chip = "esp32s3"
	r, key := f.Result, startKey("", f.Start, id)
	a := Attempt{
		ID: id, Slot: f.Slot, Path: "1-1." + f.Slot, Unit: u.ID, Chip: u.Chip, Release: f.Release, ReleaseDigest: digest, Tool: "v0.1.0",
		Start: f.Start, End: r.End, Outcome: r.Outcome, Verdict: u.decide(f.Start), Verified: r.Verified, Written: r.Written,
		BootChecked: r.BootChecked, Failure: r.Failure, Credential: r.Credential,
	}
	if !a.Verdict.Grants() {
		return fmt.Errorf("attempt %d on unit %s: %s", id, u.ID, a.Verdict)
	}
	for i, name := range []string{"connect", "identify", "ledger", "write", "verify", "credentials", "personalize", "reboot", "check"} {
		a.Phases = append(a.Phases, Phase{Name: name, Start: f.Start.Add(time.Duration(i) * time.Second), Seconds: 1.234567})
	}
	u.identified(a)
	u.finished(a)
	return errors.Join(b.byStart.Put(key, nil), b.byUnit.Put(slices.Concat([]byte(u.ID), key), nil), b.index(a), b.putAttempt(a), b.putUnit(u))
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// Decode is the decoder of a record.
func Decode[T any](data []byte) (T, error) { return decode[T](data) }

// ReadArchive yields the attempts of an archive.
func ReadArchive(r io.Reader) iter.Seq2[Attempt, error] { return readArchive(r) }

// Sentence is what becomes of free text on its way into the record.
func Sentence(text string) string { return sentence(text) }

// Downgrade makes a copy of a store as schema 1 had it.
func Downgrade(t testing.TB, from, to string) {
	t.Helper()
	s, err := Open(from)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(writeFile(to, func(w io.Writer) error { _, err := s.Backup(w); return err }), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(to, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for next, last := uint64(1), uint64(1); err == nil && next <= last; next += 20_000 {
		err = db.Update(func(tx *bbolt.Tx) error {
			b := booksOf(tx)
			last = b.attempts.Sequence()
			for id := next; id < min(next+20_000, last+1); id++ {
				a, err := b.attempt(id)
				if err := errors.Join(err, put(b.attempts, idKey(id), a)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = errors.Join(err, db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.DeleteBucket(bucketByWord), tx.DeleteBucket(bucketArchives), tx.Bucket(bucketMeta).Put(keySchema, []byte("1")))
	}), db.Sync(), db.Close())
	if err != nil {
		t.Fatal(err)
	}
}
