package jobs

import (
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// Fill records n passed units, one attempt each, a second apart, in few
// transactions: what the tests need in bulk would else take one sync a step.
func (s *Store) Fill(t testing.TB, n int, start time.Time, unit func(int) string) {
	s.db.NoSync = true
	defer func() { s.db.NoSync = false }()
	const share = 5000
	for from := 0; from < n; from += share {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := booksOf(tx)
			for i := from; i < min(from+share, n); i++ {
				if err := b.fill(start.Add(time.Duration(i)*time.Second), unit(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (b books) fill(start time.Time, unit string) error {
	id, err := b.begin(Attempt{Slot: "1", Path: "1-1.1", Release: "gateway-1.4.2", Tool: "flashd 0.1", Start: start})
	if err != nil {
		return err
	}
	if _, err := b.identify(id, unit, "esp32s3", start); err != nil {
		return err
	}
	a, err := b.attempt(id)
	if err != nil {
		return err
	}
	for i, name := range []string{"connect", "identify", "ledger", "write", "verify", "credentials", "personalize", "reboot", "check"} {
		a.Phases = append(a.Phases, Phase{Name: name, Start: start.Add(time.Duration(i) * time.Second), Seconds: 1.234567})
	}
	if err := b.putAttempt(a); err != nil {
		return err
	}
	_, err = b.finish(id, Result{
		Outcome: Pass, End: start.Add(20 * time.Second), Written: 900_000, BootChecked: true, Credential: "server",
		Verified: []Region{{"bootloader", 0, 21000}, {"partitions", 0x8000, 3072}, {"app", 0x10000, 1 << 20}, {"nvs", 0x9000, 0x6000}},
	})
	return err
}

// Decode is the decoder of a record.
func Decode[T any](data []byte) (T, error) { return decode[T](data) }

// Sentence is what becomes of free text on its way into the record.
func Sentence(text string) string { return sentence(text) }
