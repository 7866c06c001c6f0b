package web

import (
	"fmt"
	"iter"
	"net/http"
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

// Units yields the units of a store that f selects, in order of their IDs.
func (f UnitFilter) Units(store *jobs.Store) iter.Seq2[jobs.Unit, error] {
	return func(yield func(jobs.Unit, error) bool) {
		for u, err := range first(f.byID(store), f.Limit) {
			if !yield(u.Unit, err) {
				return
			}
		}
	}
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

// foundUnit is a unit in a list, and where the list goes on after it.
type foundUnit struct {
	jobs.Unit
	cursor string
}

func (s *server) units(w http.ResponseWriter, r *http.Request) {
	if f, list, ok := s.findUnits(w, r); ok {
		answerPage(w, r, list, f.Limit, func(u foundUnit) string { return u.cursor })
	}
}

// findUnits are the units that a request asks for, or it answers what is wrong with it.
func (s *server) findUnits(w http.ResponseWriter, r *http.Request) (f UnitFilter, list iter.Seq2[foundUnit, error], ok bool) {
	f, err := unitFilterOf(r.URL.Query())
	if err == nil {
		list, err = f.find(s.Store)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error(), "")
		return f, nil, false
	}
	if err := s.words(f.Release).Check(jobs.Filter{Release: f.Release}, s.Store); err != nil {
		failStore(w, err)
		return f, nil, false
	}
	return f, list, true
}

func (f UnitFilter) find(store *jobs.Store) (iter.Seq2[foundUnit, error], error) {
	if f.recent {
		after, err := recordID(f.after)
		return f.recentUnits(store, after), err
	}
	if f.after != "" && !unitRE.MatchString(f.after) {
		return nil, fmt.Errorf("after %.40q: want a device ID", f.after)
	}
	return f.byID(store), nil
}

func (f UnitFilter) byID(store *jobs.Store) iter.Seq2[foundUnit, error] {
	return func(yield func(foundUnit, error) bool) {
		for u, err := range store.SearchUnits(f.Part, f.after) {
			if (err != nil || f.matches(u)) && !yield(foundUnit{u, u.ID}, err) {
				return
			}
		}
	}
}

// attempts selects those that can be the latest of their kind of a unit that f
// selects: what is rare is not to be looked for among all.
func (f UnitFilter) attempts() (a jobs.Filter) {
	switch {
	case f.State == "working":
		a.Open = true
	case f.State == "failed":
		a.Outcome = jobs.Fail
	case f.State == "passed" || f.Release != "":
		a.Outcome, a.Release = jobs.Pass, f.Release
	}
	return a
}

// recentUnits goes through the attempts, the latest first, and takes each unit
// at its own latest.
func (f UnitFilter) recentUnits(store *jobs.Store, after uint64) iter.Seq2[foundUnit, error] {
	return func(yield func(foundUnit, error) bool) {
		attempts := f.attempts()
		attempts.After = after
		for a, err := range store.Attempts(attempts) {
			var found foundUnit
			ok := false
			if err == nil {
				found, ok, err = f.unitAt(store, a)
			}
			if err != nil {
				yield(foundUnit{}, err)
				return
			}
			if ok && !yield(found, nil) {
				return
			}
		}
	}
}

// unitAt returns the unit of an attempt, if f selects it and the attempt is the
// unit's latest of its kind.
func (f UnitFilter) unitAt(store *jobs.Store, a jobs.Attempt) (_ foundUnit, ok bool, err error) {
	if a.Unit == "" || !strings.Contains(a.Unit, f.Part) {
		return foundUnit{}, false, nil
	}
	same := f.attempts()
	same.Unit, same.Limit = a.Unit, 1
	for latest, err := range store.Attempts(same) {
		if err != nil || latest.ID != a.ID {
			return foundUnit{}, false, err
		}
	}
	u, err := store.Unit(a.Unit)
	return foundUnit{u, strconv.FormatUint(a.ID, 10)}, err == nil && f.matches(u), err
}

// recordID reads the number at which a page begins, 0 if there is none.
func recordID(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("after %.40q: want the number at which the page before ended", text)
	}
	return id, nil
}
