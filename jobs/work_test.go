package jobs_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

func TestAttemptIsRecorded(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	a := must(s.Begin(jobs.Attempt{Slot: "left-2", Path: "1-1.2", Release: "gateway-1.4.2", ReleaseDigest: "abc", Tool: "flashd 0.1", Start: t0, Current: "connect"}))(t)
	d := identify(t, s, a.ID, unitA, jobs.Provision)
	if d.Unit.Open != a.ID || d.Unit.Attempts != 1 {
		t.Errorf("the decision's unit is %+v", d.Unit)
	}
	for _, p := range []jobs.Phase{{Name: "connect", Start: t0, Seconds: 0.5, Next: "write"}, {Name: "write", Start: t0.Add(time.Second), Seconds: 7.25}} {
		if err := s.EndPhase(a.ID, p); err != nil {
			t.Fatal(err)
		}
	}
	r := pass()
	finished := must(s.Finish(a.ID, r))(t)
	want := jobs.Attempt{
		ID: 1, Slot: "left-2", Path: "1-1.2", Unit: unitA, Chip: chip, Release: "gateway-1.4.2", ReleaseDigest: "abc", Tool: "flashd 0.1",
		Start: t0, End: r.End, Outcome: jobs.Pass, Verdict: jobs.Provision,
		Phases:   []jobs.Phase{{Name: "connect", Start: t0, Seconds: 0.5}, {Name: "write", Start: t0.Add(time.Second), Seconds: 7.25}},
		Verified: r.Verified, Written: r.Written, BootChecked: true, Credential: "derive",
	}
	if diff := cmp.Diff(want, finished); diff != "" {
		t.Errorf("Finish (-want +got):\n%s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, path)
	if diff := cmp.Diff(want, must(s.Attempt(1))(t)); diff != "" {
		t.Errorf("after reopening (-want +got):\n%s", diff)
	}
	wantUnit := jobs.Unit{
		ID: unitA, Chip: chip, First: t0, Last: r.End, Attempts: 1, Passed: true, PassedAt: r.End,
		PassedRelease: "gateway-1.4.2", FirstPass: true, Firmware: true, LastOutcome: jobs.Pass,
	}
	if diff := cmp.Diff(wantUnit, unitOf(t, s, unitA)); diff != "" {
		t.Errorf("unit (-want +got):\n%s", diff)
	}
}

// Promise 1.
func TestBeginIsDurable(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	a := begin(t, s, "3")
	// The file as it is now, without closing it, is what a power cut would leave.
	after := reopen(t, copyFile(t, path))
	got := must(after.Attempt(a.ID))(t)
	if diff := cmp.Diff(a, got); diff != "" {
		t.Errorf("(-begun +on disk):\n%s", diff)
	}
	if !got.Open() {
		t.Errorf("outcome %q, want it open", got.Outcome)
	}
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	for name, a := range map[string]jobs.Attempt{
		"no place":        {Release: "gateway-1.4.2"},
		"a unit":          {Slot: "1", Unit: unitA},
		"an outcome":      {Slot: "1", Outcome: jobs.Pass},
		"an ID of before": {Slot: "1", ID: 7},
	} {
		if _, err := s.Begin(a); err == nil {
			t.Errorf("an attempt with %s was begun", name)
		}
	}
}

func TestBeginTakesTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := openStore(t)
		time.Sleep(90 * time.Minute)
		a := must(s.Begin(jobs.Attempt{Path: "/dev/ttyACM0"}))(t)
		if time.Since(a.Start) > time.Second {
			t.Errorf("started at %s, now is %s", a.Start, time.Now())
		}
	})
}

// Promise 5.
func TestOneAttemptAUnit(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	const slots = 32
	decisions := make([]jobs.Decision, slots)
	var wg sync.WaitGroup
	for i := range slots {
		wg.Go(func() {
			a, err := s.Begin(jobs.Attempt{Slot: "1", Start: t0})
			if err != nil {
				t.Error(err)
				return
			}
			if decisions[i], err = s.Identify(a.ID, unitA, chip); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	u := unitOf(t, s, unitA)
	got := map[jobs.Verdict]int{}
	for _, d := range decisions {
		got[d.Verdict]++
		if d.Verdict == jobs.Busy && (d.Other.ID != u.Open || d.Other.Unit != unitA) {
			t.Errorf("busy with attempt %d of unit %q, want attempt %d", d.Other.ID, d.Other.Unit, u.Open)
		}
	}
	if diff := cmp.Diff(map[jobs.Verdict]int{jobs.Provision: 1, jobs.Busy: slots - 1}, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if u.Attempts != 1 || u.Refused != slots-1 {
		t.Errorf("%d attempts and %d refused, want 1 and %d", u.Attempts, u.Refused, slots-1)
	}
}

func TestBusyAttemptEndsWithoutTheUnit(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	first, second := begin(t, s, "1"), begin(t, s, "2")
	identify(t, s, first.ID, unitA, jobs.Provision)
	identify(t, s, second.ID, unitA, jobs.Busy)
	if _, err := s.Finish(second.ID, pass()); !errors.Is(err, jobs.ErrNotGranted) {
		t.Errorf("a pass by the busy attempt: %v, want ErrNotGranted", err)
	}
	must(s.Finish(second.ID, jobs.Result{Outcome: jobs.Refused}))(t)
	if u := unitOf(t, s, unitA); u.Open != first.ID {
		t.Errorf("attempt %d has the unit, want %d", u.Open, first.ID)
	}
	must(s.Finish(first.ID, pass()))(t)
	u := unitOf(t, s, unitA)
	if !u.Passed || !u.FirstPass || u.LastOutcome != jobs.Pass || u.Open != 0 {
		t.Errorf("unit %+v, want it passed", u)
	}
}

// Promise 4.
func TestPassedUnitIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	a := begin(t, s, "1")
	d := identify(t, s, a.ID, unitA, jobs.AlreadyPassed)
	if !d.Unit.Passed || d.Unit.Open != 0 {
		t.Errorf("unit %+v, want it passed and free", d.Unit)
	}
	if _, err := s.Finish(a.ID, pass()); !errors.Is(err, jobs.ErrNotGranted) {
		t.Errorf("second pass: %v, want ErrNotGranted", err)
	}
	must(s.Finish(a.ID, jobs.Result{Outcome: jobs.Refused, Failure: &jobs.Failure{Kind: "already_passed", Text: "Already done."}}))(t)
	u := unitOf(t, s, unitA)
	if !u.Passed || u.Attempts != 1 || u.Refused != 1 || u.LastOutcome != jobs.Pass {
		t.Errorf("unit %+v, want one attempt, passed, and one refused", u)
	}
}

func TestIdentifyTwice(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	a := begin(t, s, "1")
	identify(t, s, a.ID, unitA, jobs.Provision)
	again := identify(t, s, a.ID, unitA, jobs.Provision)
	if again.Unit.Attempts != 1 {
		t.Errorf("counted %d attempts, want 1", again.Unit.Attempts)
	}
	// Promise 3: the board was swapped while its slot was enumerated anew.
	if _, err := s.Identify(a.ID, unitB, chip); !errors.Is(err, jobs.ErrOtherUnit) {
		t.Errorf("another unit: %v, want ErrOtherUnit", err)
	}
	if _, err := s.Unit(unitB); !errors.Is(err, jobs.ErrNoUnit) {
		t.Errorf("unit B: %v, want ErrNoUnit", err)
	}
}

func TestIdentifyRefuses(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	a := begin(t, s, "1")
	for _, unit := range []string{"", "a1b2c3d4e5f6", "A1:B2:C3:D4:E5:F6", "A1B2C3D4E5F", "A1B2C3D4E5F6\n", "A1B2C3D4E5F60"} {
		if _, err := s.Identify(a.ID, unit, chip); err == nil {
			t.Errorf("unit %q was identified", unit)
		}
	}
	if _, err := s.Identify(99, unitA, chip); !errors.Is(err, jobs.ErrNoAttempt) {
		t.Errorf("attempt 99: %v, want ErrNoAttempt", err)
	}
	must(s.Finish(a.ID, failed(jobs.Fail)))(t)
	if _, err := s.Identify(a.ID, unitA, chip); !errors.Is(err, jobs.ErrFinished) {
		t.Errorf("a finished attempt: %v, want ErrFinished", err)
	}
}

func TestEndPhaseRefuses(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	a := begin(t, s, "1")
	nan := 0.0
	nan /= nan
	for _, p := range []jobs.Phase{{}, {Name: "Write it"}, {Name: "write", Seconds: -1}, {Name: "write", Seconds: nan}, {Name: "write", Next: "?"}} {
		if err := s.EndPhase(a.ID, p); err == nil {
			t.Errorf("phase %+v was recorded", p)
		}
	}
	must(s.Finish(a.ID, failed(jobs.Error)))(t)
	if err := s.EndPhase(a.ID, jobs.Phase{Name: "write"}); !errors.Is(err, jobs.ErrFinished) {
		t.Errorf("phase of a finished attempt: %v, want ErrFinished", err)
	}
	if err := s.EndPhase(99, jobs.Phase{Name: "write"}); !errors.Is(err, jobs.ErrNoAttempt) {
		t.Errorf("phase of attempt 99: %v, want ErrNoAttempt", err)
	}
}

// Writes that share a transaction do not share each other's errors.
func TestWritesTogether(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	done := run(t, s, unitA, jobs.Provision, pass())
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			if i%3 == 0 {
				if _, err := s.Finish(done.ID, pass()); !errors.Is(err, jobs.ErrFinished) {
					t.Errorf("finished twice: %v", err)
				}
				return
			}
			a, err := s.Begin(jobs.Attempt{Slot: "1", Start: t0})
			if err == nil {
				err = s.EndPhase(a.ID, jobs.Phase{Name: "connect", Seconds: 1})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := list(t, s, jobs.Filter{Open: true})
	if len(all) != 16 || all[0].ID != 17 {
		t.Errorf("open attempts %v, want 2 to 17", ids(all))
	}
	for _, a := range all {
		if len(a.Phases) != 1 {
			t.Errorf("attempt %d has %d phases, want 1", a.ID, len(a.Phases))
		}
	}
}
