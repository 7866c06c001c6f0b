package jobs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"hoptech.co.nz/flashd/jobs"
)

const (
	unitA = "A1B2C3D4E5F6"
	unitB = "24DCC3000001"
	chip  = "esp32s3"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// openStore opens a new store and checks all of it when the test is over.
func openStore(t testing.TB) (*jobs.Store, string) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	return reopen(t, path), path
}

func reopen(t testing.TB, path string) *jobs.Store {
	t.Helper()
	s, err := jobs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A test that has closed its store has another one open on the file.
		if err := s.Check(); err != nil && !errors.Is(err, berrors.ErrDatabaseNotOpen) {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func closeStore(t testing.TB, s *jobs.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func begin(t testing.TB, s *jobs.Store, slot string) jobs.Attempt {
	t.Helper()
	return must(s.Begin(jobs.Attempt{Slot: slot, Path: "1-1." + slot, Release: "gateway-1.4.2", Tool: "flashd 0.1", Start: t0}))(t)
}

func identify(t testing.TB, s *jobs.Store, id uint64, unit string, want jobs.Verdict) jobs.Decision {
	t.Helper()
	d := must(s.Identify(id, unit, chip))(t)
	if d.Verdict != want {
		t.Fatalf("attempt %d, unit %s: verdict %s, want %s", id, unit, d.Verdict, want)
	}
	return d
}

func pass() jobs.Result {
	return jobs.Result{
		Outcome: jobs.Pass, End: t0.Add(20 * time.Second), Written: 900_000, BootChecked: true, Credential: "derive",
		Verified: []jobs.Region{{Name: "app", Offset: 0x10000, Size: 1 << 20}, {Name: "nvs", Offset: 0x9000, Size: 0x6000}},
	}
}

func failed(outcome jobs.Outcome) jobs.Result {
	blame := jobs.BlameUnit
	if outcome == jobs.Error {
		blame = jobs.BlameRig
	}
	return jobs.Result{
		Outcome: outcome, End: t0.Add(9 * time.Second),
		Failure: &jobs.Failure{Phase: "connect", Kind: "no_sync", Blame: blame, Text: "No answer from the chip.", Hint: "Reseat the board."},
	}
}

// run takes unit through a whole attempt.
func run(t testing.TB, s *jobs.Store, unit string, want jobs.Verdict, r jobs.Result) jobs.Attempt {
	t.Helper()
	a := begin(t, s, "1")
	identify(t, s, a.ID, unit, want)
	return must(s.Finish(a.ID, r))(t)
}

func unitOf(t testing.TB, s *jobs.Store, id string) jobs.Unit {
	t.Helper()
	return must(s.Unit(id))(t)
}

func list(t testing.TB, s *jobs.Store, f jobs.Filter) []jobs.Attempt {
	t.Helper()
	var all []jobs.Attempt
	for a, err := range s.Attempts(f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func ids(all []jobs.Attempt) []uint64 {
	var ids []uint64
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	return ids
}

func wantIDs(t testing.TB, what string, got []jobs.Attempt, want ...uint64) {
	t.Helper()
	if !slices.Equal(ids(got), want) {
		t.Errorf("%s: attempts %v, want %v", what, ids(got), want)
	}
}

func unitN(n int) string { return fmt.Sprintf("24DCC3%06X", n) }

// copyFile copies a store as it is on disk at this moment.
func copyFile(t testing.TB, path string) string {
	t.Helper()
	data := must(os.ReadFile(path))(t)
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// fill records n units that passed in slot 1, a second apart.
func fill(t testing.TB, s *jobs.Store, n int) {
	t.Helper()
	s.Fill(t, n, func(i int) jobs.Filling {
		return jobs.Filling{Slot: "1", Release: "gateway-1.4.2", Unit: unitN(i), Start: t0.Add(time.Duration(i) * time.Second), Result: pass()}
	})
}
