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

	"hoptech.co.nz/flashd/jobs"
)

// unitFilter selects and orders units. Empty fields select all.
type unitFilter struct {
	part    string // of the device ID
	state   string // one of unitStates
	release string // name of the firmware of its latest pass
	recent  bool   // the one seen last comes first; otherwise in order of their IDs
	after   string // where the page before has ended
	limit   int    // at most so many; 0: all
}

// unitStates tells which units each word of the query's field state means.
var unitStates = map[string]func(jobs.Unit) bool{
	"":        func(jobs.Unit) bool { return true },
	"passed":  func(u jobs.Unit) bool { return u.Passed },
	"failed":  func(u jobs.Unit) bool { return !u.Passed && u.LastOutcome == jobs.Fail },
	"working": func(u jobs.Unit) bool { return u.Open != 0 },
}

func (f unitFilter) matches(u jobs.Unit) bool {
	return strings.Contains(u.ID, f.part) && unitStates[f.state](u) && (f.release == "" || u.PassedRelease == f.release)
}

// The names of a unit filter's fields in a query, beside those of attempts.
const (
	qPart  = "q"
	qState = "state"
	qOrder = "order"
)

var unitFields = []string{qPart, qState, qRelease, qOrder, qLimit, qAfter}

// partRE is part of a device ID, once colons and dashes are gone.
var partRE = regexp.MustCompile(`^[0-9A-F]{0,12}$`)

func unitFilterOf(q url.Values) (f unitFilter, err error) {
	for name := range q {
		if !slices.Contains(unitFields, name) {
			return f, fmt.Errorf("no filter %.40q: there are %s", name, strings.Join(unitFields, ", "))
		}
	}
	f = unitFilter{part: bareID(q.Get(qPart)), state: q.Get(qState), release: q.Get(qRelease), after: q.Get(qAfter)}
	if !partRE.MatchString(f.part) {
		return f, fmt.Errorf("q %.40q: want a device ID or a part of it, such as A1B2C3D4E5F6", q.Get(qPart))
	}
	if unitStates[f.state] == nil {
		return f, fmt.Errorf("state %.40q: want passed, failed or working", f.state)
	}
	switch order := q.Get(qOrder); order {
	case "", "id":
	case "recent":
		f.recent = true
	default:
		return f, fmt.Errorf("order %.40q: want id or recent", order)
	}
	f.limit, err = limitOf(q)
	return f, err
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
	f, err := unitFilterOf(r.URL.Query())
	if err == nil {
		var list iter.Seq2[foundUnit, error]
		if list, err = s.findUnits(f); err == nil {
			answerPage(w, r, list, f.limit, func(u foundUnit) string { return u.cursor })
			return
		}
	}
	fail(w, http.StatusBadRequest, err.Error(), "")
}

func (s *server) findUnits(f unitFilter) (iter.Seq2[foundUnit, error], error) {
	if f.recent {
		after, err := recordID(f.after)
		return s.recentUnits(f, after), err
	}
	if f.after != "" && !unitRE.MatchString(f.after) {
		return nil, fmt.Errorf("after %.40q: want a device ID", f.after)
	}
	return s.unitsByID(f), nil
}

func (s *server) unitsByID(f unitFilter) iter.Seq2[foundUnit, error] {
	return func(yield func(foundUnit, error) bool) {
		for u, err := range s.Store.SearchUnits(f.part, f.after) {
			if (err != nil || f.matches(u)) && !yield(foundUnit{u, u.ID}, err) {
				return
			}
		}
	}
}

// attempts selects those that can be the latest of their kind of a unit that f
// selects: what is rare is not to be looked for among all.
func (f unitFilter) attempts() (a jobs.Filter) {
	switch {
	case f.state == "working":
		a.Open = true
	case f.state == "failed":
		a.Outcome = jobs.Fail
	case f.state == "passed" || f.release != "":
		a.Outcome, a.Release = jobs.Pass, f.release
	}
	return a
}

// recentUnits goes through the attempts, the latest first, and takes each unit
// at its own latest.
func (s *server) recentUnits(f unitFilter, after uint64) iter.Seq2[foundUnit, error] {
	return func(yield func(foundUnit, error) bool) {
		attempts := f.attempts()
		attempts.After = after
		for a, err := range s.Store.Attempts(attempts) {
			var found foundUnit
			ok := false
			if err == nil {
				found, ok, err = s.unitAt(a, f)
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
func (s *server) unitAt(a jobs.Attempt, f unitFilter) (_ foundUnit, ok bool, err error) {
	if a.Unit == "" || !strings.Contains(a.Unit, f.part) {
		return foundUnit{}, false, nil
	}
	same := f.attempts()
	same.Unit, same.Limit = a.Unit, 1
	for latest, err := range s.Store.Attempts(same) {
		if err != nil || latest.ID != a.ID {
			return foundUnit{}, false, err
		}
	}
	u, err := s.Store.Unit(a.Unit)
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
