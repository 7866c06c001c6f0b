package web

import (
	"slices"
	"sync"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

const (
	// recentSpan is how far back the day is known: a day of 25 hours, as there
	// is one a year, and the hour that has begun.
	recentSpan = 26 * time.Hour
	// commitLag is how much later than its start an attempt may be in the record.
	commitLag = time.Minute
	// timedPasses is how many passes the usual times are taken from.
	timedPasses = 100
)

// recent knows the attempts of the last day. The record is read once an hour;
// in between, what has come to it since is all that is read, so that asking
// costs the same whether the record holds a thousand attempts or a million.
type recent struct {
	store *jobs.Store

	mu      sync.Mutex
	hour    time.Time // that settled was read anew in
	until   time.Time // every attempt begun before it has ended and is in settled
	settled []ended
	passes  []jobs.Attempt // the last of those in settled, for their times
}

// ended is what counts of an attempt.
type ended struct {
	start, end time.Time
	unit       string
	outcome    jobs.Outcome
	firstPass  bool // the unit's first pass, at its first attempt
	failure    *jobs.Failure
}

// attempts returns the attempts of the last day in the order in which they
// ended, and the last passes.
func (r *recent) attempts(now time.Time) (all []ended, passes []jobs.Attempt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hour := hourOf(now); !hour.Equal(r.hour) {
		r.hour, r.until, r.settled, r.passes = hour, now.Add(-recentSpan), nil, nil
	}
	fresh, oldest := []jobs.Attempt{}, now.Add(-commitLag)
	for a, err := range r.store.Attempts(jobs.Filter{Since: r.until}) {
		if err != nil {
			return nil, nil, err
		}
		if a.Open() {
			oldest = earlier(oldest, a.Start)
			continue
		}
		fresh = append(fresh, a)
	}
	slices.SortFunc(fresh, func(x, y jobs.Attempt) int { return x.End.Compare(y.End) })
	for _, a := range fresh {
		e, err := r.count(a)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, e)
	}
	all = append(slices.Clone(r.settled), all...)
	passes = lastPasses(r.passes, fresh)
	r.settle(fresh, all, oldest)
	slices.SortStableFunc(all, func(x, y ended) int { return x.end.Compare(y.end) })
	return all, passes, nil
}

// settle keeps what need not be read again: all that began before until.
func (r *recent) settle(fresh []jobs.Attempt, all []ended, until time.Time) {
	if !until.After(r.until) {
		return
	}
	old := slices.DeleteFunc(slices.Clone(fresh), func(a jobs.Attempt) bool { return !a.Start.Before(until) })
	r.passes = lastPasses(r.passes, old)
	r.settled = slices.DeleteFunc(slices.Clone(all), func(e ended) bool { return !e.start.Before(until) })
	r.until = until
}

// count asks for the unit of a pass: what it did before may be long ago.
func (r *recent) count(a jobs.Attempt) (ended, error) {
	e := ended{start: a.Start, end: a.End, unit: a.Unit, outcome: a.Outcome, failure: a.Failure}
	if a.Outcome != jobs.Pass || a.Rework != nil {
		return e, nil
	}
	u, err := r.store.Unit(a.Unit)
	e.firstPass = u.FirstPass
	return e, err
}

// lastPasses leaves reworks of the NVS partition out: they take much less time.
func lastPasses(known, more []jobs.Attempt) []jobs.Attempt {
	known = slices.Clone(known)
	for _, a := range more {
		if a.Outcome == jobs.Pass && a.Verdict != jobs.ReworkNVS {
			known = append(known, a)
		}
	}
	return known[max(0, len(known)-timedPasses):]
}

// hourOf is the start of t's hour by the clock of t's own time zone, which need
// not be a whole hour of UTC.
func hourOf(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
