package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// UnitFilter selects units. Empty fields select all.
type UnitFilter struct {
	Part    string       // of the device ID
	State   string       // passed, failed or working
	Outcome jobs.Outcome // of its latest attempt that was allowed to work and has ended
	Release string       // name of the firmware of its latest pass
	Since   time.Time    // seen then or later
	Until   time.Time    // seen last before then
	Limit   int          // at most so many; 0: all

	recent bool   // the one seen last comes first; otherwise in order of their IDs
	after  string // where the page before has ended
}

// unitStates tells which units each word of the query's field state means.
var unitStates = map[string]func(jobs.Unit) bool{
	"":        func(jobs.Unit) bool { return true },
	"passed":  func(u jobs.Unit) bool { return u.Passed },
	"failed":  func(u jobs.Unit) bool { return !u.Passed && u.LastOutcome == jobs.Fail },
	"working": func(u jobs.Unit) bool { return u.Open != 0 },
}

func (f UnitFilter) matches(u jobs.Unit) bool {
	return strings.Contains(u.ID, f.Part) && unitStates[f.State](u) && (f.Release == "" || u.PassedRelease == f.Release) &&
		(f.Outcome == "" || u.LastOutcome == f.Outcome) && !u.Last.Before(f.Since) && (f.Until.IsZero() || u.Last.Before(f.Until))
}

// Check reports a field whose value no unit can have. The error begins with the
// name of the field.
func (f UnitFilter) Check() error {
	switch {
	case !partRE.MatchString(f.Part):
		return fmt.Errorf("q %.40q: want a device ID or a part of it, such as A1B2C3D4E5F6", f.Part)
	case unitStates[f.State] == nil:
		return fmt.Errorf("state %.40q: want passed, failed or working", f.State)
	case f.Limit < 0:
		return fmt.Errorf("limit %d: want how many there are to be at most", f.Limit)
	}
	return jobs.Filter{Outcome: f.Outcome}.Check()
}

// The names of a unit filter's fields in a query, beside those of attempts.
const (
	qPart  = "q"
	qState = "state"
	qOrder = "order"
)

var unitFields = []string{qPart, qState, qOutcome, qRelease, qSince, qUntil, qOrder, qLimit, qAfter}

// partRE is part of a device ID, once colons and dashes are gone.
var partRE = regexp.MustCompile(`^[0-9A-F]{0,12}$`)

func unitFilterOf(q url.Values) (f UnitFilter, err error) {
	for name := range q {
		if !slices.Contains(unitFields, name) {
			return f, fmt.Errorf("no filter %.40q: there are %s", name, strings.Join(unitFields, ", "))
		}
	}
	f = UnitFilter{
		Part: bareID(q.Get(qPart)), State: q.Get(qState), Outcome: jobs.Outcome(q.Get(qOutcome)), Release: q.Get(qRelease), after: q.Get(qAfter),
	}
	switch order := q.Get(qOrder); order {
	case "", "id":
	case "recent":
		f.recent = true
	default:
		return f, fmt.Errorf("order %.40q: want id or recent", order)
	}
	if f.Since, err = moment(qSince, q.Get(qSince)); err != nil {
		return f, err
	}
	if f.Until, err = moment(qUntil, q.Get(qUntil)); err != nil {
		return f, err
	}
	if f.Limit, err = limitOf(q); err != nil {
		return f, err
	}
	return f, f.Check()
}

// query is the inverse of unitFilterOf for the exported fields.
func (f UnitFilter) query() url.Values {
	q := queryOf(jobs.Filter{Outcome: f.Outcome, Release: f.Release, Since: f.Since, Until: f.Until, Limit: f.Limit})
	for name, value := range map[string]string{qPart: f.Part, qState: f.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func limitOf(q url.Values) (int, error) {
	text := q.Get(qLimit)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("limit %.40q: want a number, 0 for all", text)
	}
	return n, nil
}
