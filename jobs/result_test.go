package jobs_test

import (
	"errors"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

// Promise 2.
func TestPassNeedsEvidence(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*jobs.Result){
		"no verified region": func(r *jobs.Result) { r.Verified = nil },
		"no boot check":      func(r *jobs.Result) { r.BootChecked = false },
	} {
		s, _ := openStore(t)
		a := begin(t, s, "1")
		identify(t, s, a.ID, unitA, jobs.Provision)
		r := pass()
		spoil(&r)
		if _, err := s.Finish(a.ID, r); !errors.Is(err, jobs.ErrUnproven) {
			t.Errorf("%s: %v, want ErrUnproven", name, err)
		}
		if got := must(s.Attempt(a.ID))(t); !got.Open() {
			t.Errorf("%s: outcome %s, want it open", name, got.Outcome)
		}
		if u := unitOf(t, s, unitA); u.Passed {
			t.Errorf("%s: the unit passed", name)
		}
	}
}

func TestPassNeedsUnit(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	a := begin(t, s, "1")
	if _, err := s.Finish(a.ID, pass()); !errors.Is(err, jobs.ErrUnproven) {
		t.Errorf("%v, want ErrUnproven", err)
	}
}

func TestPassWithoutBootCheck(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	r := pass()
	r.BootChecked, r.BootCheckOff = false, true
	if a := run(t, s, unitA, jobs.Provision, r); a.Outcome != jobs.Pass || a.BootChecked {
		t.Errorf("outcome %s, boot checked %t; want a pass that says it was not", a.Outcome, a.BootChecked)
	}
}

func TestFinishOnce(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	a := run(t, s, unitA, jobs.Provision, failed(jobs.Fail))
	if _, err := s.Finish(a.ID, pass()); !errors.Is(err, jobs.ErrFinished) {
		t.Errorf("%v, want ErrFinished", err)
	}
	if u := unitOf(t, s, unitA); u.Passed || u.LastOutcome != jobs.Fail {
		t.Errorf("unit %+v, want it failed", u)
	}
}

// Promise 7, and results that make no sense.
func TestFinishRefuses(t *testing.T) {
	t.Parallel()
	failure := func(f jobs.Failure) *jobs.Failure { return &f }
	unit, rig := jobs.BlameUnit, jobs.BlameRig
	for _, tt := range []struct {
		name string
		r    jobs.Result
		want string // in the error
	}{
		{"no outcome", jobs.Result{}, "want one of"},
		{"unknown outcome", jobs.Result{Outcome: "ok"}, "want one of"},
		{"fail of the rig", jobs.Result{Outcome: jobs.Fail, Failure: failure(jobs.Failure{Kind: "io", Blame: rig, Text: "x"})}, `blames "rig"`},
		{"error of the unit", jobs.Result{Outcome: jobs.Error, Failure: failure(jobs.Failure{Kind: "io", Blame: unit, Text: "x"})}, `blames "unit"`},
		{"nobody to blame", jobs.Result{Outcome: jobs.Fail, Failure: failure(jobs.Failure{Kind: "io", Text: "x"})}, `blames ""`},
		{"no failure", jobs.Result{Outcome: jobs.Fail}, "without a failure"},
		{"no text", jobs.Result{Outcome: jobs.Fail, Failure: failure(jobs.Failure{Kind: "io", Blame: unit})}, "without a text"},
		{"kind is a sentence", jobs.Result{Outcome: jobs.Fail, Failure: failure(jobs.Failure{Kind: "It broke", Blame: unit, Text: "x"})}, "lower-case word"},
		{"phase is a sentence", jobs.Result{Outcome: jobs.Fail, Failure: failure(jobs.Failure{Kind: "io", Phase: "In the end", Blame: unit, Text: "x"})}, "lower-case word"},
		{"pass with a failure", jobs.Result{Outcome: jobs.Pass, Failure: failure(jobs.Failure{Kind: "io", Blame: unit, Text: "x"})}, "a pass with a failure"},
		{"negative bytes", jobs.Result{Outcome: jobs.Aborted, Written: -1}, "-1 bytes"},
		{"empty region", jobs.Result{Outcome: jobs.Aborted, Verified: []jobs.Region{{Name: "app"}}}, "0 bytes"},
		{"nameless region", jobs.Result{Outcome: jobs.Aborted, Verified: []jobs.Region{{Size: 1}}}, "region"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := openStore(t)
			a := begin(t, s, "1")
			identify(t, s, a.ID, unitA, jobs.Provision)
			_, err := s.Finish(a.ID, tt.r)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if !must(s.Attempt(a.ID))(t).Open() {
				t.Error("the attempt is finished")
			}
		})
	}
}

// Promise 7: yield means yield.
func TestFirstPass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		before  []jobs.Outcome
		want    bool
		attempt int
	}{
		{"at once", nil, true, 1},
		{"after a fault of the rig", []jobs.Outcome{jobs.Error, jobs.Error}, true, 3},
		{"after flashd was stopped", []jobs.Outcome{jobs.Aborted}, true, 2},
		{"after being refused", []jobs.Outcome{jobs.Refused}, true, 2},
		{"after a fault of the unit", []jobs.Outcome{jobs.Error, jobs.Fail}, false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := openStore(t)
			for _, o := range tt.before {
				r := jobs.Result{Outcome: o}
				if o == jobs.Fail || o == jobs.Error {
					r = failed(o)
				}
				run(t, s, unitA, jobs.Provision, r)
				if u := unitOf(t, s, unitA); u.LastOutcome != o || u.Passed {
					t.Errorf("after %s: last outcome %s, passed %t", o, u.LastOutcome, u.Passed)
				}
			}
			run(t, s, unitA, jobs.Provision, pass())
			if u := unitOf(t, s, unitA); u.FirstPass != tt.want || u.Attempts != tt.attempt || !u.Passed {
				t.Errorf("first pass %t, %d attempts, passed %t; want %t, %d, true", u.FirstPass, u.Attempts, u.Passed, tt.want, tt.attempt)
			}
		})
	}
}
