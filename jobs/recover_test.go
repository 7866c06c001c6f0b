package jobs_test

import (
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

func TestRecover(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	run(t, s, unitB, jobs.Provision, pass())
	atBegin := begin(t, s, "1")
	inWrite := begin(t, s, "2")
	identify(t, s, inWrite.ID, unitA, jobs.Provision)
	after := begin(t, s, "3")
	for id, p := range map[uint64]jobs.Phase{inWrite.ID: {Name: "connect", Next: "write"}, after.ID: {Name: "connect"}} {
		if err := s.EndPhase(id, p); err != nil {
			t.Fatal(err)
		}
	}
	if got := must(s.Recover(t0))(t); len(got) > 0 {
		t.Errorf("Recover closed attempts of this very process: %v", ids(got))
	}
	closeStore(t, s)

	s = reopen(t, path)
	fresh := begin(t, s, "4")
	now := t0.Add(time.Hour)
	closed := must(s.Recover(now))(t)
	wantIDs(t, "recovered", closed, atBegin.ID, inWrite.ID, after.ID)
	for i, want := range []struct{ phase, text string }{
		{"", "before the first phase had ended"},
		{"write", "during phase write"},
		{"", "in the phase after connect"},
	} {
		a := must(s.Attempt(closed[i].ID))(t)
		if a.Outcome != jobs.Aborted || !a.End.Equal(now) || a.Current != "" {
			t.Errorf("attempt %d: %s, ended %s, phase %q; want it aborted at %s", a.ID, a.Outcome, a.End, a.Current, now)
		}
		if f := a.Failure; f == nil || f.Phase != want.phase || f.Blame != jobs.BlameRig || !strings.Contains(f.Text, want.text) {
			t.Errorf("attempt %d: failure %+v, want %+v", a.ID, f, want)
		}
	}
	wantIDs(t, "still open", list(t, s, jobs.Filter{Open: true}), fresh.ID)
	if u := unitOf(t, s, unitA); u.Open != 0 || u.LastOutcome != jobs.Aborted || u.Fails != 0 {
		t.Errorf("unit %+v, want it free, aborted, not failed", u)
	}
	if got := must(s.Recover(now))(t); len(got) > 0 {
		t.Errorf("recovered again: %v", ids(got))
	}
	run(t, s, unitA, jobs.Provision, pass())
}

// A rework that was under way when flashd was stopped is still to be done.
func TestRecoverKeepsRework(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	allow(t, s, false)
	identify(t, s, begin(t, s, "1").ID, unitA, jobs.ReworkNVS)
	closeStore(t, s)
	s = reopen(t, path)
	must(s.Recover(t0))(t)
	if u := unitOf(t, s, unitA); u.Passed || u.Rework == nil {
		t.Errorf("unit %+v, want it not passed and the rework armed", u)
	}
	run(t, s, unitA, jobs.ReworkNVS, pass())
}
