package web

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

// shift is a store that attempts are recorded in while fake time goes by.
type shift struct {
	*testing.T
	store *jobs.Store
	cfg   Config
}

// onShift runs test in a bubble of fake time that begins at the clock time.
func onShift(t *testing.T, clock string, test func(*shift)) {
	f, cfg := newEmptyFake(t)
	synctest.Test(t, func(t *testing.T) {
		begin, err := time.ParseInLocation(time.DateTime, clock, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(begin))
		test(&shift{t, f.store, cfg})
	})
}

// attempt lets a unit take 20 s of time: 5 to connect and 15 to write.
func (s *shift) attempt(unit string, outcome jobs.Outcome, kind string) {
	s.Helper()
	a, err := s.store.Begin(jobs.Attempt{Slot: "1", Release: "demo", Start: time.Now()})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.store.Identify(a.ID, unit, "esp32s3"); err != nil {
		s.Fatal(err)
	}
	for name, took := range map[string]time.Duration{"connect": 5 * time.Second, "write": 15 * time.Second} {
		if err := s.store.EndPhase(a.ID, jobs.Phase{Name: name, Start: time.Now(), Seconds: took.Seconds()}); err != nil {
			s.Fatal(err)
		}
		time.Sleep(took)
	}
	r := jobs.Result{Outcome: outcome, End: time.Now()}
	switch outcome {
	case jobs.Pass:
		r.BootCheckOff, r.Verified = true, []jobs.Region{{Name: "nvs", Offset: 0x9000, Size: 0x5000}}
	case jobs.Fail:
		r.Failure = &jobs.Failure{Phase: "verify", Kind: kind, Blame: jobs.BlameUnit, Text: "Unit " + unit + " is faulty."}
	case jobs.Error:
		r.Failure = &jobs.Failure{Phase: "connect", Kind: kind, Blame: jobs.BlameRig, Text: "No answer."}
	}
	if _, err := s.store.Finish(a.ID, r); err != nil {
		s.Fatal(err)
	}
}

func (s *shift) history(query string) (h History) {
	s.Helper()
	decodeAnswer(s.T, ask(s.cfg, http.MethodGet, "/api/v1/history"+query), &h)
	return h
}

func unitN(n int) string { return fmt.Sprintf("A1B2C300%04X", n) }

func TestHistoryOfAShift(t *testing.T) {
	onShift(t, "2026-03-02 22:30:00", func(s *shift) {
		s.attempt(unitN(1), jobs.Fail, "mismatch") // before midnight
		s.attempt(unitN(2), jobs.Pass, "")
		time.Sleep(3 * time.Hour)                  // 01:30
		s.attempt(unitN(1), jobs.Pass, "")         // not at its first attempt
		s.attempt(unitN(3), jobs.Pass, "")         // first pass
		s.attempt(unitN(4), jobs.Error, "no_sync") // counts in no yield
		s.attempt(unitN(4), jobs.Error, "no_sync")
		s.attempt(unitN(4), jobs.Pass, "")           // first pass
		s.attempt(unitN(4), jobs.Refused, "")        // already passed
		s.attempt(unitN(5), jobs.Fail, "mismatch")   //
		s.attempt(unitN(5), jobs.Aborted, "stopped") // neither
		got := s.history("?since=4h")
		start := func(clock string) time.Time {
			at, err := time.ParseInLocation(time.DateTime, clock, time.Local)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		want := History{
			Now:     time.Now(),
			Today:   Day{Units: 4, Passed: 3, Failed: 1, Errors: 2, Refused: 1, FirstPassYield: 0.5},
			PerHour: 4, Cycle: 20, CycleP95: 20,
			Phases: []PhaseTime{{"connect", 5}, {"write", 15}},
			Hours: []Hour{
				{Start: start("2026-03-02 22:00:00"), Passed: 1, Failed: 1},
				{Start: start("2026-03-02 23:00:00")},
				{Start: start("2026-03-03 00:00:00")},
				{Start: start("2026-03-03 01:00:00"), Passed: 3, Failed: 1, Errors: 2},
			},
			Failures: []FailureCount{
				{Phase: "verify", Kind: "mismatch", Blame: jobs.BlameUnit, Count: 2},
				{Phase: "connect", Kind: "no_sync", Blame: jobs.BlameRig, Text: "No answer.", Count: 2},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		// The failures are those of the hours that are shown.
		if got := s.history("?since=1h"); len(got.Hours) != 1 || got.Failures[0].Count != 2 || got.Failures[1].Count != 1 {
			t.Errorf("an hour: %+v", got)
		}
	})
}

// What is followed attempt by attempt must be the same as what is read at once.
func TestHistoryIsFollowed(t *testing.T) {
	onShift(t, "2026-03-02 05:58:00", func(s *shift) {
		handler := NewHandler(s.cfg)
		follow := func() (h History) {
			s.Helper()
			decodeAnswer(s.T, askHandler(handler, http.MethodGet, "/api/v1/history?since=24h"), &h)
			return h
		}
		compare := func(when string) {
			s.Helper()
			if diff := cmp.Diff(s.history("?since=24h"), follow()); diff != "" {
				t.Fatalf("%s (-anew +followed):\n%s", when, diff)
			}
		}
		compare("an empty record")
		slow, err := s.store.Begin(jobs.Attempt{Slot: "2", Start: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		unit, outcomes := 0, []jobs.Outcome{jobs.Pass, jobs.Fail, jobs.Pass, jobs.Error, jobs.Pass}
		for i := range 150 { // 20 s each: 50 minutes, and over the hour
			s.attempt(unitN(unit), outcomes[i%5], "mismatch")
			if outcomes[i%5] == jobs.Pass {
				unit++
			}
			if i%7 == 0 {
				compare(fmt.Sprintf("after %d attempts", i+1))
			}
		}
		if _, err := s.store.Finish(slow.ID, jobs.Result{Outcome: jobs.Aborted, End: time.Now()}); err != nil {
			t.Fatal(err)
		}
		compare("an attempt that took long")
		for range 30 {
			time.Sleep(time.Hour)
			compare("a day of rest")
		}
		if got := follow(); got.Today != (Day{}) || got.PerHour != 0 || len(got.Phases) > 0 {
			t.Errorf("after a day of rest: %+v", got)
		}
	})
}

func TestPerHourOfAShortShift(t *testing.T) {
	onShift(t, "2026-03-02 08:00:00", func(s *shift) {
		if got := s.history(""); got.PerHour != 0 || len(got.Hours) != 8 {
			t.Errorf("nothing yet: %+v", got)
		}
		for i := range 30 { // ten minutes
			s.attempt(unitN(i), jobs.Pass, "")
		}
		if got := s.history("").PerHour; got != 180 {
			t.Errorf("after ten minutes: %v units an hour, want 180", got)
		}
		time.Sleep(2 * time.Hour)
		s.attempt(unitN(99), jobs.Pass, "")
		if got := s.history("").PerHour; got != 1 {
			t.Errorf("after a break of two hours: %v units an hour, want 1", got)
		}
	})
}

func TestHourOf(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	at := time.Date(2026, 3, 2, 8, 29, 59, 999, zone)
	if got, want := hourOf(at), time.Date(2026, 3, 2, 8, 0, 0, 0, zone); !got.Equal(want) {
		t.Errorf("hour of %v: %v, want %v", at, got, want)
	}
}
