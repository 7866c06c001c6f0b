package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// History is what the station did of late, as the record has it: unlike
// station.Totals it does not begin anew with the daemon. Its times are in the
// station's own time zone.
type History struct {
	Now      time.Time      `json:"now"`
	Today    Day            `json:"today"`
	PerHour  float64        `json:"unitsPerHour"` // in the last 60 minutes, or since the first unit if that is not so long ago
	Cycle    float64        `json:"cycleMedian"`  // seconds from attach to finish, of the last 100 passes
	CycleP95 float64        `json:"cycleP95"`     // seconds
	Phases   []PhaseTime    `json:"phases"`       // of the same passes, in the order in which units go through them
	Hours    []Hour         `json:"hours"`        // oldest first; the last one is not over
	Failures []FailureCount `json:"failures"`     // of those hours, the most frequent first
}

// PhaseTime is how long a phase usually takes.
type PhaseTime struct {
	Name   string  `json:"name"`
	Median float64 `json:"median"` // seconds
}

// Day counts since midnight.
type Day struct {
	Units          int     `json:"units"`          // that were judged: pass or fail
	Passed         int     `json:"passed"`         // of them, at last
	Failed         int     `json:"failed"`         // likewise
	Errors         int     `json:"errors"`         // attempts that the rig spoilt
	Refused        int     `json:"refused"`        // insertions
	FirstPassYield float64 `json:"firstPassYield"` // 0 to 1; 0 while Units is 0
}

// Hour counts attempts by when they ended.
type Hour struct {
	Start  time.Time `json:"start"`
	Passed int       `json:"passed"`
	Failed int       `json:"failed"`
	Errors int       `json:"errors"`
}

// FailureCount says how often something failed in the same way.
type FailureCount struct {
	Phase string     `json:"phase,omitempty"`
	Kind  string     `json:"kind"`
	Blame jobs.Blame `json:"blame"`
	Text  string     `json:"text,omitempty"` // the record's sentence, if it is the same for all of them
	Count int        `json:"count"`
}

const (
	defaultHistory = 8 * time.Hour
	maxHistory     = 24 * time.Hour
)

func (s *server) history(w http.ResponseWriter, r *http.Request) {
	span, err := historySpan(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	now := time.Now().Local()
	all, passes, err := s.recent.attempts(now)
	if err != nil {
		failStore(w, err)
		return
	}
	h := History{Now: now, Today: today(all, now), PerHour: perHour(all, now), Hours: hours(all, now, span)}
	h.Failures = failures(all, h.Hours[0].Start)
	h.Cycle, h.CycleP95, h.Phases = usualTimes(passes)
	answer(w, http.StatusOK, h)
}

// historySpan reads how far back the hours go.
func historySpan(q url.Values) (time.Duration, error) {
	for name := range q {
		if name != qSince {
			return 0, fmt.Errorf("no parameter %.40q: there is %s", name, qSince)
		}
	}
	text := q.Get(qSince)
	if text == "" {
		return defaultHistory, nil
	}
	span, err := time.ParseDuration(text)
	if err != nil || span <= 0 || span > maxHistory {
		return 0, fmt.Errorf("%s %.40q: want how long ago, up to %v, such as 8h", qSince, text, maxHistory)
	}
	return span, nil
}

func today(all []ended, now time.Time) (d Day) {
	y, m, day := now.Date()
	midnight := time.Date(y, m, day, 0, 0, 0, 0, now.Location())
	passed, first := map[string]bool{}, map[string]bool{}
	for _, e := range all {
		if e.end.Before(midnight) {
			continue
		}
		switch e.outcome {
		case jobs.Pass, jobs.Fail:
			passed[e.unit] = e.outcome == jobs.Pass
			first[e.unit] = first[e.unit] || e.firstPass
		case jobs.Error:
			d.Errors++
		case jobs.Refused:
			d.Refused++
		}
	}
	d.Units, d.Passed = len(passed), countTrue(passed)
	d.Failed = d.Units - d.Passed
	if d.Units > 0 {
		d.FirstPassYield = float64(countTrue(first)) / float64(d.Units)
	}
	return d
}

func countTrue(set map[string]bool) (n int) {
	for _, v := range set {
		if v {
			n++
		}
	}
	return n
}

// perHour counts what was judged within the last hour. A line that began later
// is not to look slow.
func perHour(all []ended, now time.Time) float64 {
	ago := now.Add(-time.Hour)
	begun, n := now, 0
	for _, e := range all {
		begun = earlier(begun, e.start)
		if judged(e) && e.end.After(ago) {
			n++
		}
	}
	if span := min(now.Sub(begun), time.Hour); span > 0 {
		return float64(n) / span.Hours()
	}
	return 0
}

func judged(e ended) bool { return e.outcome == jobs.Pass || e.outcome == jobs.Fail }

func hours(all []ended, now time.Time, span time.Duration) []Hour {
	this := hourOf(now)
	list := make([]Hour, (span+time.Hour-1)/time.Hour)
	for i := range list {
		list[i].Start = this.Add(-time.Duration(len(list)-1-i) * time.Hour)
	}
	for _, e := range all {
		i, _ := slices.BinarySearchFunc(list, e.end, func(h Hour, end time.Time) int {
			if h.Start.After(end) {
				return 1
			}
			return -1
		})
		if i == 0 {
			continue // before the first
		}
		h := &list[i-1]
		switch e.outcome {
		case jobs.Pass:
			h.Passed++
		case jobs.Fail:
			h.Failed++
		case jobs.Error:
			h.Errors++
		}
	}
	return list
}

func failures(all []ended, since time.Time) []FailureCount {
	counts := map[FailureCount]int{}
	texts := map[FailureCount]string{}
	for _, e := range all {
		if e.end.Before(since) || e.outcome != jobs.Fail && e.outcome != jobs.Error {
			continue
		}
		key := FailureCount{Phase: e.failure.Phase, Kind: e.failure.Kind, Blame: e.failure.Blame}
		if counts[key]++; counts[key] == 1 {
			texts[key] = e.failure.Text
		} else if texts[key] != e.failure.Text {
			texts[key] = ""
		}
	}
	list := []FailureCount{}
	for f, n := range counts {
		f.Text, f.Count = texts[f], n
		list = append(list, f)
	}
	slices.SortFunc(list, func(x, y FailureCount) int {
		return cmp.Or(y.Count-x.Count, cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Phase, y.Phase), cmp.Compare(x.Blame, y.Blame))
	})
	return list
}

// usualTimes is how long passes take, in seconds: the median, what 95 % stay
// below, and the median of each phase.
func usualTimes(passes []jobs.Attempt) (median, p95 float64, phases []PhaseTime) {
	var cycles []float64
	took := map[string][]float64{}
	for _, a := range passes {
		cycles = append(cycles, a.End.Sub(a.Start).Seconds())
		for _, p := range a.Phases {
			took[p.Name] = append(took[p.Name], p.Seconds)
		}
	}
	phases = []PhaseTime{}
	for _, name := range station.Phases() {
		if list := took[name]; len(list) > 0 {
			phases = append(phases, PhaseTime{name, quantile(list, 50)})
		}
	}
	return quantile(cycles, 50), quantile(cycles, 95), phases
}

// quantile sorts list and returns the value that percent of it do not exceed,
// 0 if it is empty.
func quantile(list []float64, percent int) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)*percent/100]
}
