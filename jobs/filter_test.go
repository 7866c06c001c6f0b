package jobs_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// mixture records n attempts of all sorts, some minutes apart and not in order.
func mixture(t testing.TB, s *jobs.Store, random *rand.Rand, n int) {
	t.Helper()
	some := func(prefix string, n int) string { return fmt.Sprint(prefix, random.IntN(n)) }
	for range n {
		start := t0.Add(time.Duration(random.IntN(40)) * time.Minute)
		a := must(s.Begin(jobs.Attempt{Slot: some("slot-", 3), Release: some("r", 3), Start: start}))(t)
		d := jobs.Decision{Verdict: jobs.Busy}
		if random.IntN(5) > 0 {
			d = must(s.Identify(a.ID, unitN(random.IntN(6)), chip))(t)
		}
		r := jobs.Result{Outcome: jobs.Refused}
		if d.Verdict.Grants() {
			r = []jobs.Result{pass(), failed(jobs.Fail), failed(jobs.Error), {Outcome: jobs.Aborted}, {}}[random.IntN(5)]
		}
		if r.Failure != nil {
			r.Failure.Kind, r.Failure.Phase = some("kind_", 2), some("phase_", 2)
		}
		if r.Outcome != "" {
			must(s.Finish(a.ID, r))(t)
		}
	}
}

// Whatever is asked for, the answer is that of looking at every attempt.
func TestAttemptsAgreesWithLookingAtAll(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	random := rand.New(rand.NewPCG(1, 2))
	mixture(t, s, random, 120)
	all := list(t, s, jobs.Filter{})
	if len(all) != 120 {
		t.Fatalf("%d attempts, want 120", len(all))
	}
	found := 0
	for range 2000 {
		f := randomFilter(random)
		want := all
		if f.After != 0 {
			i := slices.IndexFunc(all, func(a jobs.Attempt) bool { return a.ID == f.After })
			want = all[i+1:]
		}
		want = slices.DeleteFunc(slices.Clone(want), func(a jobs.Attempt) bool { return !f.Selects(a) })
		if f.Limit > 0 {
			want = want[:min(len(want), f.Limit)]
		}
		got := list(t, s, f)
		if !slices.Equal(ids(got), ids(want)) {
			t.Fatalf("%+v: %v, want %v", f, ids(got), ids(want))
		}
		found += len(got)
	}
	if found < 2000 {
		t.Errorf("only %d attempts were found: nothing was put to the test", found)
	}
}

func randomFilter(random *rand.Rand) (f jobs.Filter) {
	maybe := func(set func()) {
		if random.IntN(4) == 0 {
			set()
		}
	}
	moment := func() time.Time { return t0.Add(time.Duration(random.IntN(42)-1) * time.Minute) }
	maybe(func() { f.Unit = unitN(random.IntN(7)) })
	maybe(func() { f.Slot = fmt.Sprint("slot-", random.IntN(4)) })
	maybe(func() { f.Release = fmt.Sprint("r", random.IntN(4)) })
	maybe(func() { f.Outcome = jobs.Outcomes[random.IntN(len(jobs.Outcomes))] })
	maybe(func() { f.Kind = fmt.Sprint("kind_", random.IntN(3)) })
	maybe(func() { f.Phase = fmt.Sprint("phase_", random.IntN(3)) })
	maybe(func() { f.Blame = []jobs.Blame{jobs.BlameUnit, jobs.BlameRig}[random.IntN(2)] })
	maybe(func() { f.Open = true })
	maybe(func() { f.Since = moment() })
	maybe(func() { f.Until = moment() })
	maybe(func() { f.After = 1 + random.Uint64N(120) })
	maybe(func() { f.Limit = 1 + random.IntN(20) })
	return f
}

// Two words that many attempts have, but never together, take more than one
// transaction to find nothing.
func TestAttemptsOfWordsThatNeverMeet(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	s.Fill(t, 10_000, func(i int) jobs.Filling {
		f := jobs.Filling{Slot: "even", Release: "r0", Unit: unitN(i), Start: t0.Add(time.Duration(i) * time.Second), Result: pass()}
		if i%2 == 1 {
			f.Slot, f.Release = "odd", "r1"
		}
		return f
	})
	wantIDs(t, "both", list(t, s, jobs.Filter{Slot: "even", Release: "r1"}))
	wantIDs(t, "one", list(t, s, jobs.Filter{Slot: "even", Release: "r0", Limit: 1}), 9_999)
}
