package station

import (
	"slices"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// tally counts since the daemon started.
type tally struct {
	since   time.Time
	units   map[string]unitTally // by device ID, of units that passed or failed
	errors  int
	refused int
	ends    []time.Time     // when units finished, of the last hour, by a clock that nobody sets
	cycles  []time.Duration // of the last passes
}

type unitTally struct {
	firstPass bool // passed at its first attempt that counts
	passed    bool // at its last
}

// maxCycles bounds how many passes the cycle times are taken from.
const maxCycles = 1000

func (t *tally) add(r jobs.Attempt) {
	switch r.Outcome {
	case jobs.Pass, jobs.Fail:
		t.finish(r)
	case jobs.Refused:
		t.refused++
	case jobs.Error:
		t.errors++
	}
}

func (t *tally) finish(r jobs.Attempt) {
	if t.units == nil {
		t.units = map[string]unitTally{}
	}
	passed := r.Outcome == jobs.Pass
	u, known := t.units[r.Unit]
	if !known {
		u.firstPass = passed && r.Rework == nil
	}
	u.passed = passed
	t.units[r.Unit] = u
	t.ends = append(t.ends, time.Now())
	if passed && r.Verdict != jobs.ReworkNVS { // which is not what a unit takes
		t.cycles = append(t.cycles, r.End.Sub(r.Start))
		if n := len(t.cycles) - maxCycles; n > 0 {
			t.cycles = slices.Delete(t.cycles, 0, n)
		}
	}
}

func (t *tally) totals(now time.Time) Totals {
	out := Totals{Units: len(t.units), Errors: t.errors, Refused: t.refused, UnitsPerHour: t.rate(now)}
	first := 0
	for _, u := range t.units {
		if u.passed {
			out.Passed++
		}
		if u.firstPass {
			first++
		}
	}
	out.Failed = out.Units - out.Passed
	if out.Units > 0 {
		out.FirstPassYield = float64(first) / float64(out.Units)
	}
	if len(t.cycles) > 0 {
		sorted := slices.Sorted(slices.Values(t.cycles))
		out.CycleMedian = sorted[len(sorted)/2].Seconds()
		out.CycleP95 = sorted[len(sorted)*95/100].Seconds()
	}
	return out
}

// rate is units an hour, over the last hour or since the start.
func (t *tally) rate(now time.Time) float64 {
	i := slices.IndexFunc(t.ends, func(end time.Time) bool { return now.Sub(end) <= time.Hour })
	if i < 0 {
		t.ends = nil
		return 0
	}
	t.ends = slices.Delete(t.ends, 0, i)
	return float64(len(t.ends)) / min(now.Sub(t.since), time.Hour).Hours()
}
