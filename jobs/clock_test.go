package jobs_test

import (
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// A machine without a battery begins in 1970, and is set while units are under
// way; another is set back. The record stays whole, IDs go on, and what is asked
// by time is answered by the times that were recorded.
func TestClockThatIsSet(t *testing.T) {
	s := must(jobs.Open(filepath.Join(t.TempDir(), "jobs.db")))(t)
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for i, at := range []struct{ start, end time.Time }{
		{time.Unix(20, 0), noon},                           // set under way
		{noon.Add(time.Hour), noon.Add(-time.Hour)},        // set back under way
		{noon.Add(-2 * time.Hour), noon.Add(-time.Hour)},   // and before the next
		{time.Unix(-5, 0), time.Unix(3, 0)},                // before all that an index knows
		{noon.AddDate(200, 0, 0), noon.AddDate(300, 0, 0)}, // and after
	} {
		a := must(s.Begin(jobs.Attempt{Slot: "1", Start: at.start}))(t)
		if a.ID != uint64(i+1) {
			t.Errorf("attempt %d has the ID %d", i+1, a.ID)
		}
		must(s.Identify(a.ID, "A1B2C3D4E5F6", "esp32s3"))(t)
		if err := s.EndPhase(a.ID, jobs.Phase{Name: "connect", Start: at.end, Seconds: 1}); err != nil {
			t.Error(err)
		}
		must(s.Finish(a.ID, jobs.Result{Outcome: jobs.Aborted, End: at.end}))(t)
		if got := must(s.Attempt(a.ID))(t); !got.End.Equal(at.end) || len(got.Phases) != 1 {
			t.Errorf("recorded as %+v", got)
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	ids := func(f jobs.Filter) (ids []uint64) {
		for a, err := range s.Attempts(f) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, a.ID)
		}
		return ids
	}
	if got, want := ids(jobs.Filter{}), []uint64{5, 2, 3, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("in the order %v, want %v", got, want)
	}
	today := jobs.Filter{Since: noon.Truncate(24 * time.Hour), Until: noon.AddDate(0, 0, 1)}
	if got, want := ids(today), []uint64{2, 3}; !slices.Equal(got, want) {
		t.Errorf("of the day %v, want %v", got, want)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A clock that was years ahead for a while has no rework expire for good.
func TestReworkOutlivesAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := must(jobs.Open(filepath.Join(t.TempDir(), "jobs.db")))(t)
		const unit = "A1B2C3D4E5F6"
		pass := func() jobs.Verdict {
			a := must(s.Begin(jobs.Attempt{Slot: "1"}))(t)
			d := must(s.Identify(a.ID, unit, "esp32s3"))(t)
			outcome := jobs.Result{Outcome: jobs.Refused}
			if d.Verdict.Grants() {
				outcome = jobs.Result{Outcome: jobs.Pass, BootChecked: true, Verified: []jobs.Region{{Name: "app", Size: 1}}}
			}
			must(s.Finish(a.ID, outcome))(t)
			return d.Verdict
		}
		pass()
		// Allowed on a clock that is a day ahead, it seems expired a day too early.
		ahead := time.Now().AddDate(0, 0, -1)
		r := must(s.AllowRework(jobs.Rework{Unit: unit, Reason: "test", By: "me", Allowed: ahead, Expires: ahead.Add(8 * time.Hour)}))(t)
		if v := pass(); v != jobs.AlreadyPassed {
			t.Errorf("expired, and the verdict is %s", v)
		}
		u := must(s.Unit(unit))(t)
		if u.Rework == nil || u.Rework.State(ahead.Add(time.Hour)) != jobs.ReworkArmed || u.Rework.ID != r.ID {
			t.Errorf("by the right clock the unit has no rework: %+v", u.Rework)
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
