package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hoptech.co.nz/flashd/internal/span"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// Status is the answer to GET /api/v1/status.
type Status struct {
	station.View
	Changes Changes `json:"changes,omitempty"`
}

// Changes says who may change something over a listener.
type Changes string

// What changes want.
const (
	NoChanges  Changes = "none"  // they are refused: the station has no token
	WithToken  Changes = "token" // they want the station's token
	AllChanges Changes = "all"   // nothing: whoever reaches the listener may
)

func (s *server) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, Status{s.Source.View(), s.may})
}

func (s *server) slots(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.Source.View().Slots)
}

func (s *server) unit(w http.ResponseWriter, r *http.Request) {
	id, err := unitID(r.PathValue("id"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	u, err := s.Store.Unit(id)
	if err != nil {
		failStore(w, err)
		return
	}
	answer(w, http.StatusOK, u)
}

func (s *server) attempts(w http.ResponseWriter, r *http.Request) {
	f, ok := s.filter(w, r)
	if !ok {
		return
	}
	limit := f.Limit
	f.Limit = 0 // a page looks at one more
	answerPage(w, r, s.Store.Attempts(f), limit, func(a jobs.Attempt) string { return strconv.FormatUint(a.ID, 10) })
}

// filter reads the filter of a request, or answers what is wrong with it.
func (s *server) filter(w http.ResponseWriter, r *http.Request) (f jobs.Filter, ok bool) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error(), "")
		return f, false
	}
	if err := s.words().Check(f, s.Store); err != nil {
		failStore(w, err)
		return f, false
	}
	return f, true
}

// failStore answers with what the store said.
func failStore(w http.ResponseWriter, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		answer(w, e.Status, e)
		return
	}
	switch {
	case errors.Is(err, jobs.ErrNoUnit):
		fail(w, http.StatusNotFound, err.Error(), "flashd units lists those that the station has seen.")
	case errors.Is(err, jobs.ErrNoAttempt):
		fail(w, http.StatusNotFound, err.Error(), "Begin at the first page of the list again.")
	case errors.Is(err, jobs.ErrNoRework):
		fail(w, http.StatusNotFound, err.Error(), "flashd rework list --all lists those that there were.")
	case errors.Is(err, jobs.ErrBadRework):
		fail(w, http.StatusBadRequest, err.Error(), "")
	case errors.Is(err, jobs.ErrNotPassed), errors.Is(err, jobs.ErrReworkOver), errors.Is(err, jobs.ErrReworkBegun):
		fail(w, http.StatusConflict, err.Error(), "")
	default:
		fail(w, http.StatusInternalServerError, err.Error(), "")
	}
}

var unitRE = regexp.MustCompile(`^[0-9A-F]{12}$`)

// unitID reads a device ID, also one written as a MAC, in any case.
func unitID(s string) (string, error) {
	id := bareID(s)
	if !unitRE.MatchString(id) {
		return "", fmt.Errorf("unit %.40q: want 12 hex digits, such as A1B2C3D4E5F6", s)
	}
	return id, nil
}

// bareID is a MAC or a part of one, as a device ID is written.
func bareID(s string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", "-", "", " ", "").Replace(s))
}

// The names of a filter's fields in a query.
const (
	qUnit    = "unit"
	qSlot    = "slot"
	qOutcome = "outcome"
	qRelease = "release"
	qKind    = "kind"
	qPhase   = "phase"
	qBlame   = "blame"
	qOpen    = "open"
	qSince   = "since"
	qUntil   = "until"
	qAfter   = "after"
	qLimit   = "limit"
)

var queryFields = []string{qUnit, qSlot, qOutcome, qRelease, qKind, qPhase, qBlame, qOpen, qSince, qUntil, qAfter, qLimit}

// filterOf reads a filter. What it does not know is an error: a misspelt
// filter that is ignored selects everything.
func filterOf(q url.Values) (f jobs.Filter, err error) {
	for name := range q {
		if !slices.Contains(queryFields, name) {
			return f, fmt.Errorf("no filter %.40q: there are %s", name, strings.Join(queryFields, ", "))
		}
	}
	f = jobs.Filter{
		Slot: q.Get(qSlot), Release: q.Get(qRelease), Outcome: jobs.Outcome(q.Get(qOutcome)),
		Kind: q.Get(qKind), Phase: q.Get(qPhase), Blame: jobs.Blame(q.Get(qBlame)),
	}
	if v := q.Get(qUnit); v != "" {
		if f.Unit, err = unitID(v); err != nil {
			return f, err
		}
	}
	if v := q.Get(qOpen); v != "" {
		if f.Open, err = strconv.ParseBool(v); err != nil {
			return f, fmt.Errorf("open %.40q: want true or false", v)
		}
	}
	if f.Limit, err = limitOf(q); err != nil {
		return f, err
	}
	if f.After, err = recordID(q.Get(qAfter)); err != nil {
		return f, err
	}
	if f.Since, err = moment(qSince, q.Get(qSince)); err != nil {
		return f, err
	}
	if f.Until, err = moment(qUntil, q.Get(qUntil)); err != nil {
		return f, err
	}
	return f, f.Check()
}

// moment reads a time, or how long ago it was; "" is the zero time.
func moment(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, ok := span.Before(time.Now(), s); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%s %.40q: want a time such as 2006-01-02T15:04:05Z, or how long ago, such as 8h or 30d", name, s)
}

// queryOf is the inverse of filterOf.
func queryOf(f jobs.Filter) url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set(qUnit, f.Unit)
	set(qSlot, f.Slot)
	set(qOutcome, string(f.Outcome))
	set(qRelease, f.Release)
	set(qKind, f.Kind)
	set(qPhase, f.Phase)
	set(qBlame, string(f.Blame))
	if f.Open {
		q.Set(qOpen, "true")
	}
	if f.After > 0 {
		q.Set(qAfter, strconv.FormatUint(f.After, 10))
	}
	if f.Limit > 0 {
		q.Set(qLimit, strconv.Itoa(f.Limit))
	}
	if !f.Since.IsZero() {
		q.Set(qSince, f.Since.Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		q.Set(qUntil, f.Until.Format(time.RFC3339Nano))
	}
	return q
}
