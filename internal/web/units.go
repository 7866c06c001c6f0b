package web

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"hoptech.co.nz/flashd/jobs"
)

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
	if err := s.words().Check(jobs.Filter{Release: f.Release}, s.Store); err != nil {
		failStore(w, err)
		return f, nil, false
	}
	return f, list, true
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
