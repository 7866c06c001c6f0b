package jobs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

func allow(t testing.TB, s *jobs.Store, reflash bool) jobs.Rework {
	t.Helper()
	return must(s.AllowRework(jobs.Rework{Unit: unitA, Reason: "customer return", By: "Ana", Reflash: reflash, Allowed: t0}))(t)
}

func reworks(t testing.TB, s *jobs.Store, unit string) []jobs.Rework {
	t.Helper()
	var all []jobs.Rework
	for r, err := range s.Reworks(unit, 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestReworkOfNVS(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	allowed := allow(t, s, false)

	a := must(s.Begin(jobs.Attempt{Slot: "1", Release: "gateway-2.0.0", Start: t0}))(t)
	d := identify(t, s, a.ID, unitA, jobs.ReworkNVS)
	if diff := cmp.Diff(&allowed, d.Rework); diff != "" {
		t.Errorf("the decision's rework (-want +got):\n%s", diff)
	}
	if d.Unit.Passed || unitOf(t, s, unitA).Passed {
		t.Error("a half-reworked unit is passed")
	}
	r := pass()
	a = must(s.Finish(a.ID, r))(t)
	used := allowed
	used.Used = r.End
	if diff := cmp.Diff(&used, a.Rework); diff != "" {
		t.Errorf("the attempt's rework (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]jobs.Rework{used}, reworks(t, s, unitA)); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	u := unitOf(t, s, unitA)
	if !u.Passed || u.Rework != nil || !u.FirstPass {
		t.Errorf("unit %+v, want it passed, none armed, still a first pass", u)
	}
	if u.PassedRelease != "gateway-1.4.2" {
		t.Errorf("firmware %s, want the one from before: only NVS was written", u.PassedRelease)
	}
	run(t, s, unitA, jobs.AlreadyPassed, jobs.Result{Outcome: jobs.Refused})
}

func TestReworkStaysArmed(t *testing.T) {
	t.Parallel()
	for _, outcome := range []jobs.Outcome{jobs.Fail, jobs.Error} {
		s, _ := openStore(t)
		run(t, s, unitA, jobs.Provision, pass())
		allow(t, s, false)
		run(t, s, unitA, jobs.ReworkNVS, failed(outcome))
		if u := unitOf(t, s, unitA); u.Passed || u.Rework == nil || !u.Firmware {
			t.Errorf("after %s: unit %+v, want the rework armed and the firmware good", outcome, u)
		}
		run(t, s, unitA, jobs.ReworkNVS, pass())
		run(t, s, unitA, jobs.AlreadyPassed, jobs.Result{Outcome: jobs.Refused})
	}
}

// A unit whose reflash broke off has no firmware to keep, so a later permission
// for its NVS alone must write everything.
func TestReworkOfBrokenFirmware(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	allow(t, s, true)
	run(t, s, unitA, jobs.ReworkAll, failed(jobs.Error))
	allow(t, s, false)
	a := run(t, s, unitA, jobs.ReworkAll, pass())
	if a.Rework.ID != 2 {
		t.Errorf("made with rework %d, want 2", a.Rework.ID)
	}
	all := reworks(t, s, unitA)
	if len(all) != 2 || !all[1].Used.IsZero() || all[0].Used.IsZero() {
		t.Errorf("reworks %+v, want two, the later one used", all)
	}
	if u := unitOf(t, s, unitA); !u.Passed || !u.Firmware {
		t.Errorf("unit %+v, want it passed", u)
	}
}

func TestReworkAllowedMeanwhile(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	allow(t, s, false)
	a := begin(t, s, "1")
	identify(t, s, a.ID, unitA, jobs.ReworkNVS)
	later := allow(t, s, true)
	must(s.Finish(a.ID, pass()))(t)
	if u := unitOf(t, s, unitA); u.Rework == nil || u.Rework.ID != later.ID {
		t.Errorf("armed: %+v, want the later one", u.Rework)
	}
	run(t, s, unitA, jobs.ReworkAll, pass())
	if u := unitOf(t, s, unitA); u.Rework != nil {
		t.Errorf("armed: %+v, want none", u.Rework)
	}
}

func TestAllowReworkRefuses(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	good := jobs.Rework{Unit: unitA, Reason: "return", By: "Ana"}
	if _, err := s.AllowRework(good); !errors.Is(err, jobs.ErrNoUnit) {
		t.Errorf("unknown unit: %v, want ErrNoUnit", err)
	}
	run(t, s, unitA, jobs.Provision, failed(jobs.Fail))
	if _, err := s.AllowRework(good); !errors.Is(err, jobs.ErrNotPassed) {
		t.Errorf("failed unit: %v, want ErrNotPassed", err)
	}
	a := begin(t, s, "1")
	identify(t, s, a.ID, unitA, jobs.Provision)
	if _, err := s.AllowRework(good); !errors.Is(err, jobs.ErrNotPassed) {
		t.Errorf("unit being provisioned: %v, want ErrNotPassed", err)
	}
	must(s.Finish(a.ID, pass()))(t)
	for want, r := range map[string]jobs.Rework{
		"reason is required": {Unit: unitA, Reason: " \n", By: "Ana"},
		"name of who":        {Unit: unitA, Reason: "return", By: "\x00"},
		"12 upper-case hex":  {Unit: "A1:B2", Reason: "return", By: "Ana"},
	} {
		if _, err := s.AllowRework(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", r, err, want)
		}
	}
	if n := len(reworks(t, s, "")); n != 0 {
		t.Errorf("%d reworks recorded, want none", n)
	}
}

func TestReworksByUnit(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	for _, unit := range []string{unitB, unitA} {
		run(t, s, unit, jobs.Provision, pass())
		must(s.AllowRework(jobs.Rework{Unit: unit, Reason: "return", By: "Ana"}))(t)
		must(s.AllowRework(jobs.Rework{Unit: unit, Reason: "again", By: "Ana"}))(t)
	}
	for unit, want := range map[string][]uint64{unitA: {4, 3}, unitB: {2, 1}, "": {4, 3, 2, 1}, "000000000000": nil} {
		var got []uint64
		for _, r := range reworks(t, s, unit) {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unit %q (-want +got):\n%s", unit, diff)
		}
	}
	for _, err := range s.Reworks("everything", 0) {
		if err == nil {
			t.Error("reworks of a unit that cannot be")
		}
	}
}

// More than are read in one transaction, from the first on and from one of them on.
func TestReworksAreReadInPages(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	const n = 300
	for range n {
		allow(t, s, false)
	}
	for before, want := range map[uint64]uint64{0: n, n + 1: n, n: n - 1, 2: 1, 1: 0} {
		for _, unit := range []string{"", unitA} {
			next := want
			for r, err := range s.Reworks(unit, before) {
				if err != nil || r.ID != next {
					t.Fatalf("unit %q before %d: rework %d, %v, want %d", unit, before, r.ID, err, next)
				}
				next--
			}
			if next != 0 {
				t.Errorf("unit %q before %d: ends at rework %d", unit, before, next+1)
			}
		}
	}
}
