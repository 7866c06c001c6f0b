package jobs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"hoptech.co.nz/flashd/jobs"
)

// history records six attempts, ten minutes apart, of three units in two slots.
func history(t testing.TB) *jobs.Store {
	s, _ := openStore(t)
	for i, step := range []struct {
		slot, unit, release string
		verdict             jobs.Verdict
		r                   jobs.Result
	}{
		{"1", unitA, "r1", jobs.Provision, failed(jobs.Fail)},
		{"2", unitB, "r1", jobs.Provision, pass()},
		{"1", unitA, "r1", jobs.Provision, pass()},
		{"2", unitB, "r2", jobs.AlreadyPassed, jobs.Result{Outcome: jobs.Refused}},
		{"1", unitN(7), "r2", jobs.Provision, failed(jobs.Error)},
		{"2", unitN(7), "r2", jobs.Provision, jobs.Result{}},
	} {
		a := must(s.Begin(jobs.Attempt{Slot: step.slot, Release: step.release, Start: t0.Add(time.Duration(i) * 10 * time.Minute)}))(t)
		identify(t, s, a.ID, step.unit, step.verdict)
		if step.r.Outcome != "" {
			must(s.Finish(a.ID, step.r))(t)
		}
	}
	return s
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	s := history(t)
	at := func(i int) time.Time { return t0.Add(time.Duration(i) * 10 * time.Minute) }
	for _, tt := range []struct {
		name string
		f    jobs.Filter
		want []uint64
	}{
		{"all", jobs.Filter{}, []uint64{6, 5, 4, 3, 2, 1}},
		{"limit", jobs.Filter{Limit: 2}, []uint64{6, 5}},
		{"unit", jobs.Filter{Unit: unitA}, []uint64{3, 1}},
		{"unit and limit", jobs.Filter{Unit: unitA, Limit: 1}, []uint64{3}},
		{"unit and since", jobs.Filter{Unit: unitA, Since: at(1)}, []uint64{3}},
		{"unit and until", jobs.Filter{Unit: unitA, Until: at(2)}, []uint64{1}},
		{"first unit by ID", jobs.Filter{Unit: unitB}, []uint64{4, 2}},
		{"unknown unit", jobs.Filter{Unit: unitN(99)}, nil},
		{"slot", jobs.Filter{Slot: "2"}, []uint64{6, 4, 2}},
		{"outcome", jobs.Filter{Outcome: jobs.Pass}, []uint64{3, 2}},
		{"outcome and limit", jobs.Filter{Outcome: jobs.Pass, Limit: 1}, []uint64{3}},
		{"release", jobs.Filter{Release: "r2"}, []uint64{6, 5, 4}},
		{"open", jobs.Filter{Open: true}, []uint64{6}},
		{"open of a unit", jobs.Filter{Open: true, Unit: unitN(7)}, []uint64{6}},
		{"since", jobs.Filter{Since: at(3)}, []uint64{6, 5, 4}},
		{"until", jobs.Filter{Until: at(3)}, []uint64{3, 2, 1}},
		{"between", jobs.Filter{Since: at(1), Until: at(3)}, []uint64{3, 2}},
		{"since for ever", jobs.Filter{Since: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}, []uint64{6, 5, 4, 3, 2, 1}},
		{"until the year 3000", jobs.Filter{Until: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}, []uint64{6, 5, 4, 3, 2, 1}},
		{"nothing", jobs.Filter{Since: at(9)}, nil},
	} {
		wantIDs(t, tt.name, list(t, s, tt.f), tt.want...)
	}
	for _, err := range s.Attempts(jobs.Filter{Unit: "x"}) {
		if err == nil {
			t.Error("attempts of a unit that cannot be")
		}
	}
}

// A station without a clock of its own can be years off until it has the time.
func TestAttemptsAfterClockJump(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	for _, year := range []int{2038, 1970, 2026} {
		must(s.Begin(jobs.Attempt{Slot: "1", Start: time.Date(year, 1, 2, 0, 0, 0, 0, time.UTC)}))(t)
	}
	wantIDs(t, "all", list(t, s, jobs.Filter{}), 1, 3, 2)
	wantIDs(t, "this year", list(t, s, jobs.Filter{Since: t0.AddDate(-1, 0, 0), Until: t0.AddDate(1, 0, 0)}), 3)
}

// Iterators read many pages, let go of the store between them, and can be left.
func TestIterateAndWrite(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	const n = 600
	fill(t, s, n)
	seen := 0
	for a, err := range s.Attempts(jobs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(n - seen); a.ID != want {
			t.Fatalf("attempt %d, want %d", a.ID, want)
		}
		if seen++; seen%200 == 0 {
			must(s.Begin(jobs.Attempt{Slot: "9", Start: t0.AddDate(1, 0, 0)}))(t) // would wait for ever if the iterator held the file's map
		}
	}
	if seen != n {
		t.Errorf("%d attempts, want %d", seen, n)
	}
	var last string
	units := 0
	for u, err := range s.Units() {
		if err != nil {
			t.Fatal(err)
		}
		if u.ID <= last {
			t.Fatalf("unit %s after %s", u.ID, last)
		}
		last, units = u.ID, units+1
	}
	if units != n {
		t.Errorf("%d units, want %d", units, n)
	}
	for _, err := range s.Attempts(jobs.Filter{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for _, err := range s.Units() {
		if err != nil {
			t.Error(err)
		}
		break
	}
	wantIDs(t, "the oldest, far from the newest", list(t, s, jobs.Filter{Slot: "1", Until: t0.Add(time.Second), Limit: 1}), 1)
}

func TestNotThere(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	if _, err := s.Attempt(1); !errors.Is(err, jobs.ErrNoAttempt) {
		t.Errorf("attempt: %v, want ErrNoAttempt", err)
	}
	if _, err := s.Unit(unitA); !errors.Is(err, jobs.ErrNoUnit) {
		t.Errorf("unit: %v, want ErrNoUnit", err)
	}
	if _, err := s.Unit("a1b2"); err == nil || errors.Is(err, jobs.ErrNoUnit) {
		t.Errorf("unit a1b2: %v, want an error about its form", err)
	}
	for u, err := range s.Units() {
		t.Errorf("unit %s in an empty store (%v)", u.ID, err)
	}
}

func TestDamagedRecordIsAnError(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	closeStore(t, s)
	edit(t, path, func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket([]byte("attempts")).Put([]byte("\x00\x00\x00\x00\x00\x00\x00\x01"), []byte(`{"id":1,}`)),
			tx.Bucket([]byte("units")).Put([]byte(unitA), []byte(`{"id":"A1B2C3D4E5F6","attempts":}`)))
	})
	s = must(jobs.Open(path))(t)
	defer closeStore(t, s)
	for want, err := range map[string]error{
		"attempt 1: damaged record":           errOf(s.Attempt(1)),
		"unit A1B2C3D4E5F6: damaged record":   errOf(s.Unit(unitA)),
		"attempts: attempt 1: damaged record": lastError(s.Attempts(jobs.Filter{})),
		"unit A1B2C3D4E5F6: damaged record (": lastError(s.Units()),
	} {
		if !errors.Is(err, jobs.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrDamaged with %q", err, want)
		}
	}
	if _, err := s.Identify(begin(t, s, "1").ID, unitA, chip); !errors.Is(err, jobs.ErrDamaged) {
		t.Errorf("Identify: %v, want ErrDamaged", err)
	}
}

func errOf[T any](_ T, err error) error { return err }

func lastError[T any](seq func(func(T, error) bool)) (last error) {
	for _, err := range seq {
		last = err
	}
	return last
}

func TestAttemptsAfter(t *testing.T) {
	s, _ := openStore(t)
	for i := range 5 { // all begun at the same instant
		run(t, s, unitN(i), jobs.Provision, pass())
	}
	again := begin(t, s, "2")
	identify(t, s, again.ID, unitN(1), jobs.AlreadyPassed)
	for _, c := range []struct {
		filter jobs.Filter
		want   []uint64
	}{
		{jobs.Filter{After: 6}, []uint64{5, 4, 3, 2, 1}},
		{jobs.Filter{After: 3}, []uint64{2, 1}},
		{jobs.Filter{After: 5, Limit: 2}, []uint64{4, 3}},
		{jobs.Filter{After: 1}, nil},
		{jobs.Filter{After: 6, Unit: unitN(1)}, []uint64{2}},
		{jobs.Filter{After: 2, Unit: unitN(1)}, nil},
		{jobs.Filter{After: 5, Open: true}, nil},
		{jobs.Filter{After: 5, Until: t0}, nil},
		{jobs.Filter{After: 3, Until: t0.Add(time.Second)}, []uint64{2, 1}},
	} {
		wantIDs(t, fmt.Sprintf("%+v", c.filter), list(t, s, c.filter), c.want...)
	}
	for _, err := range s.Attempts(jobs.Filter{After: 7}) {
		if !errors.Is(err, jobs.ErrNoAttempt) {
			t.Errorf("after an attempt that there is not: %v", err)
		}
	}
}

func TestSearchUnits(t *testing.T) {
	s, _ := openStore(t)
	fill(t, s, 3000)
	for _, c := range []struct {
		part, after string
		want        int
		first       string
	}{
		{"", "", 3000, unitN(0)},
		{"", unitN(0), 2999, unitN(1)},
		{"", unitN(2998), 1, unitN(2999)},
		{"", unitN(2999), 0, ""},
		{"30000A", "", 16, unitN(0xA0)},
		{unitN(77), "", 1, unitN(77)},
		{"30000A", unitN(0xA3), 12, unitN(0xA4)},
		{"FFFF", "", 0, ""},
	} {
		var got []string
		for u, err := range s.SearchUnits(c.part, c.after) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, u.ID)
		}
		if len(got) != c.want || c.want > 0 && got[0] != c.first || !slices.IsSorted(got) {
			t.Errorf("units with %q after %q: %d beginning with %v, want %d from %s", c.part, c.after, len(got), got[:min(1, len(got))], c.want, c.first)
		}
	}
}
