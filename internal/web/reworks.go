package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// reworkFilter selects reworks. Empty fields select all.
type reworkFilter struct {
	unit  string
	state jobs.ReworkState
	after uint64 // the rework at which the page before has ended
	limit int    // at most so many; 0: all
}

var reworkFields = []string{qUnit, qState, qAfter, qLimit}

func reworkFilterOf(q url.Values) (f reworkFilter, err error) {
	for name := range q {
		if !slices.Contains(reworkFields, name) {
			return f, fmt.Errorf("no filter %.40q: there are %s", name, strings.Join(reworkFields, ", "))
		}
	}
	if v := q.Get(qUnit); v != "" {
		if f.unit, err = unitID(v); err != nil {
			return f, err
		}
	}
	f.state = jobs.ReworkState(q.Get(qState))
	if f.state != "" && !slices.Contains(jobs.ReworkStates, f.state) {
		return f, fmt.Errorf("state %.40q: want one of %q", f.state, jobs.ReworkStates)
	}
	if f.after, err = recordID(q.Get(qAfter)); err != nil {
		return f, err
	}
	f.limit, err = limitOf(q)
	return f, err
}

// reworks lists reworks, the one allowed last first.
func (s *server) reworks(w http.ResponseWriter, r *http.Request) {
	f, err := reworkFilterOf(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	list := s.Store.Reworks(f.unit, f.after)
	if f.state != "" {
		list = jobs.InState(list, f.state, time.Now())
	}
	answerPage(w, r, list, f.limit, func(r jobs.Rework) string { return strconv.FormatUint(r.ID, 10) })
}
