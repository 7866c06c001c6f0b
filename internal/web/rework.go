package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"hoptech.co.nz/flashd/internal/span"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// neverExpires is how a request asks for a rework that stays armed.
const neverExpires = "never"

// longestYears is more than anybody means who does not mean never, in years.
const longestYears = 10

// ReworkRequest is the body of POST /api/v1/rework. The fields mean what those
// of jobs.Rework do.
type ReworkRequest struct {
	Unit           string            `json:"unit,omitempty"` // device ID, also written as a MAC; or
	Slot           string            `json:"slot,omitempty"` // name or path of the slot that the unit is in
	Reason         string            `json:"reason"`
	By             string            `json:"by"`
	Reflash        bool              `json:"reflash,omitempty"`
	KeepAll        bool              `json:"keepAll,omitempty"`
	NewCredentials bool              `json:"newCredentials,omitempty"`
	Set            map[string]string `json:"set,omitempty"`
	Expires        string            `json:"expires,omitempty"` // how long it is armed: "30m", "7d", or "never"; jobs.DefaultExpiry if empty
}

// ReworkAnswer is the answer to it.
type ReworkAnswer struct {
	jobs.Rework
	InSlot string `json:"inSlot,omitempty"` // the slot that the unit is in now, so that it is begun at once
}

// Rework is what the request asks for, with its unit named by its ID.
func (q ReworkRequest) Rework(now time.Time) (r jobs.Rework, err error) {
	r = jobs.Rework{
		Slot: q.Slot, Reason: q.Reason, By: q.By, Allowed: now,
		Reflash: q.Reflash, KeepAll: q.KeepAll, Set: q.Set,
		// Unless all is kept, credentials are asked for anew anyway.
		NewCredentials: q.NewCredentials && q.KeepAll,
	}
	if r.Unit, err = unitID(q.Unit); err != nil {
		return r, err
	}
	if q.Expires == neverExpires {
		return r, nil
	}
	var ok bool
	if r.Expires, ok = span.After(now, cmp.Or(q.Expires, jobs.DefaultExpiry.String())); !ok || r.Expires.After(now.AddDate(longestYears, 0, 0)) {
		return r, fmt.Errorf("expires %.40q: want how long the rework is armed, such as 30m, 8h or 7d, or %s", q.Expires, neverExpires)
	}
	return r, nil
}

func (s *server) rework(w http.ResponseWriter, r *http.Request) {
	var q ReworkRequest
	if err := readJSON(w, r, &q); err != nil {
		fail(w, statusOf(err), "rework: "+err.Error(), `Send {"unit": ..., "reason": ..., "by": ...} as application/json.`)
		return
	}
	if q.Slot != "" {
		status, err := s.unitInSlot(&q)
		if err != nil {
			fail(w, status, "rework: "+err.Error(), "Put the unit into the slot first, or name it by its device ID.")
			return
		}
	}
	asked, err := q.Rework(time.Now())
	if err != nil {
		fail(w, http.StatusBadRequest, "rework: "+err.Error(), "")
		return
	}
	note(w, "action", "rework", "unit", asked.Unit, "by", asked.By)
	allowed, err := s.Source.AllowRework(r.Context(), asked)
	if err != nil {
		failStore(w, err)
		return
	}
	answer(w, http.StatusCreated, ReworkAnswer{allowed, s.slotOf(allowed.Unit)})
}

// unitInSlot fills in the unit of a request that names a slot, else returns the
// status of the answer.
func (s *server) unitInSlot(q *ReworkRequest) (status int, err error) {
	slots := s.Source.View().Slots
	i := slices.IndexFunc(slots, func(v station.SlotView) bool { return v.Name == q.Slot || v.Path == q.Slot })
	switch {
	case q.Unit != "":
		return http.StatusBadRequest, errors.New("name either the unit or the slot that it is in")
	case i < 0:
		return http.StatusNotFound, fmt.Errorf("there is no slot %.40q", q.Slot)
	case slots[i].State == station.Empty:
		return http.StatusConflict, fmt.Errorf("slot %s is empty", slots[i].Name)
	case slots[i].Unit == "":
		return http.StatusConflict, fmt.Errorf("the unit in slot %s is not known yet", slots[i].Name)
	}
	q.Unit, q.Slot = slots[i].Unit, slots[i].Name
	return 0, nil
}

// slotOf is the slot that a unit is in, "" if it is in none.
func (s *server) slotOf(unit string) string {
	for _, v := range s.Source.View().Slots {
		if v.Unit == unit {
			return v.Name
		}
	}
	return ""
}

// cancelRequest is the body of POST /api/v1/reworks/{id}/cancel.
type cancelRequest struct {
	Reason string `json:"reason"`
	By     string `json:"by"`
}

func (s *server) cancelRework(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Sprintf("rework %.40q: want its number", r.PathValue("id")), "")
		return
	}
	var q cancelRequest
	if err := readJSON(w, r, &q); err != nil {
		fail(w, statusOf(err), "cancel rework: "+err.Error(), `Send {"reason": ..., "by": ...} as application/json.`)
		return
	}
	note(w, "action", "cancel rework", "rework", id, "by", q.By)
	cancelled, err := s.Source.CancelRework(r.Context(), id, q.By, q.Reason)
	if err != nil {
		failStore(w, err)
		return
	}
	answer(w, http.StatusOK, cancelled)
}
