package jobs

import (
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
	const share = 5000
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

func (b books) fill(f Filling) error {
	id, err := b.begin(Attempt{Slot: f.Slot, Path: "1-1." + f.Slot, Release: f.Release, ReleaseDigest: digest, Tool: "v0.1.0", Start: f.Start})
	if err != nil {
		return err
	}
	if _, err := b.identify(id, f.Unit, "esp32s3", f.Start); err != nil {
		return err
	}
	a, err := b.attempt(id)
	if err != nil {
		return err
	}
	for i, name := range []string{"connect", "identify", "ledger", "write", "verify", "credentials", "personalize", "reboot", "check"} {
		a.Phases = append(a.Phases, Phase{Name: name, Start: f.Start.Add(time.Duration(i) * time.Second), Seconds: 1.234567})
	}
	if err := b.putAttempt(a); err != nil {
		return err
	}
	_, err = b.finish(id, f.Result)
	return err
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// Decode is the decoder of a record.
func Decode[T any](data []byte) (T, error) { return decode[T](data) }

// Sentence is what becomes of free text on its way into the record.
func Sentence(text string) string { return sentence(text) }
