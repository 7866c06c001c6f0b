package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

func listReworks(t *testing.T, c *Client, unit string, open bool) (list []jobs.Rework) {
	t.Helper()
	for r, err := range c.Reworks(t.Context(), unit, open) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func TestClientReworks(t *testing.T) {
	f, cfg := newFake(t)
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	before := time.Now()
	got, err := c.Rework(t.Context(), ReworkRequest{Unit: passedUnit, Reason: "the broker moved", By: "Ann", Reflash: true})
	if err != nil {
		t.Fatal(err)
	}
	u, err := f.store.Unit(passedUnit)
	if err != nil || u.Rework == nil {
		t.Fatalf("unit: %+v, %v", u, err)
	}
	if diff := cmp.Diff(ReworkAnswer{*u.Rework, "1"}, got); diff != "" {
		t.Errorf("rework (-stored +answered):\n%s", diff)
	}
	if got.Reason != "the broker moved" || got.By != "Ann" || !got.Reflash || got.Slot != "" {
		t.Errorf("rework %+v", got)
	}
	if armed := got.Expires.Sub(before); armed < jobs.DefaultExpiry || armed > jobs.DefaultExpiry+time.Minute {
		t.Errorf("armed for %v, want %v", armed, jobs.DefaultExpiry)
	}

	// By its slot, with everything that can be asked for.
	full := ReworkRequest{
		Slot: "1-1.1", Reason: "return", By: "Ann", KeepAll: true, NewCredentials: true,
		Set: map[string]string{"region": "eu", "wifi:interval:u16": "60"}, Expires: "never",
	}
	got, err = c.Rework(t.Context(), full)
	if err != nil {
		t.Fatal(err)
	}
	want := jobs.Rework{
		ID: 2, Unit: passedUnit, Slot: "1", Reason: "return", By: "Ann", KeepAll: true, NewCredentials: true, Set: full.Set, Allowed: got.Allowed,
	}
	if diff := cmp.Diff(ReworkAnswer{want, "1"}, got); diff != "" {
		t.Errorf("rework (-want +got):\n%s", diff)
	}

	all := listReworks(t, c, passedUnit, false)
	if len(all) != 2 || all[1].ReplacedBy != 2 {
		t.Errorf("all reworks: %+v", all)
	}
	if diff := cmp.Diff([]jobs.Rework{want}, listReworks(t, c, "", true)); diff != "" {
		t.Errorf("armed reworks (-want +got):\n%s", diff)
	}
	if list := listReworks(t, c, failedUnit, false); len(list) > 0 {
		t.Errorf("reworks of another unit: %+v", list)
	}

	cancelled, err := c.CancelRework(t.Context(), 2, "Bob", "wrong board")
	if err != nil || cancelled.CancelledBy != "Bob" || cancelled.CancelReason != "wrong board" {
		t.Errorf("cancelled: %+v, %v", cancelled, err)
	}
	if list := listReworks(t, c, "", true); len(list) > 0 {
		t.Errorf("armed after it was cancelled: %+v", list)
	}

	// New credentials come by themselves unless all is kept; and it may be armed for days.
	before = time.Now()
	got, err = c.Rework(t.Context(), ReworkRequest{Unit: passedUnit, Reason: "r", By: "Ann", NewCredentials: true, Expires: "7d"})
	if armed := got.Expires.Sub(before); err != nil || got.NewCredentials || armed < 6*24*time.Hour || armed > 8*24*time.Hour {
		t.Errorf("rework %+v, %v", got, err)
	}
}

func TestReworkRefused(t *testing.T) {
	f, cfg := newFake(t)
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	ok := ReworkRequest{Unit: passedUnit, Reason: "x", By: "y"}
	for _, bad := range []struct {
		change func(*ReworkRequest)
		status int
		says   string
	}{
		{func(q *ReworkRequest) { q.Unit = freshUnit }, 404, freshUnit},
		{func(q *ReworkRequest) { q.Unit = failedUnit }, 409, failedUnit},
		{func(q *ReworkRequest) { q.Unit = "x" }, 400, "12 hex digits"},
		{func(q *ReworkRequest) { q.Unit = "" }, 400, "12 hex digits"},
		{func(q *ReworkRequest) { q.Reason = " " }, 400, "a reason is required"},
		{func(q *ReworkRequest) { q.By = "" }, 400, "who allows it"},
		{func(q *ReworkRequest) { q.Reason = strings.Repeat("x", maxBody) }, 413, "more than 65536 bytes"},
		{func(q *ReworkRequest) { q.Slot = "1" }, 400, "either the unit or the slot"},
		{func(q *ReworkRequest) { q.Unit, q.Slot = "", "9" }, 404, `no slot "9"`},
		{func(q *ReworkRequest) { q.Unit, q.Slot = "", "2" }, 409, "not known yet"},
		{func(q *ReworkRequest) { q.Unit, q.Slot = "", "3" }, 409, "slot 3 is empty"},
		{func(q *ReworkRequest) { q.Expires = "soon" }, 400, `"soon"`},
		{func(q *ReworkRequest) { q.Expires = "-1h" }, 400, `"-1h"`},
		{func(q *ReworkRequest) { q.Expires = "7 days" }, 400, `"7 days"`},
		{func(q *ReworkRequest) { q.Expires = "11y" }, 400, `"11y"`},
		{func(q *ReworkRequest) { q.Set = map[string]string{"mqtt_pass": "x"} }, 400, "called like a secret"},
		{func(q *ReworkRequest) { q.Reflash, q.KeepAll = true, true }, 400, "not both"},
	} {
		f.view.Slots = append(f.view.Slots[:2:2], station.SlotView{Name: "3", State: station.Empty})
		q := ok
		bad.change(&q)
		_, err := c.Rework(t.Context(), q)
		e, is := errors.AsType[*Error](err)
		if !is || e.Status != bad.status || !strings.Contains(e.Message, bad.says) {
			t.Errorf("%+v: %v, want status %d and %q", q, err, bad.status, bad.says)
		}
	}
	if _, err := c.CancelRework(t.Context(), 7, "Bob", "x"); err == nil || !strings.Contains(err.Error(), "no such rework") {
		t.Errorf("cancel what is not there: %v", err)
	}
	if list := listReworks(t, c, "", false); len(list) > 0 {
		t.Errorf("recorded: %+v", list)
	}
	r, err := c.Rework(t.Context(), ok)
	if err != nil {
		t.Fatal(err)
	}
	for says, cancel := range map[string][2]string{"a reason is required": {"Bob", ""}, "who cancels it": {"", "x"}} {
		if _, err := c.CancelRework(t.Context(), r.ID, cancel[0], cancel[1]); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("cancel: %v, want %q", err, says)
		}
	}
}

// The board and scripts send these; what is misspelt must not be taken for
// something less.
func TestReworkBodies(t *testing.T) {
	_, cfg := newFake(t)
	control := NewControl(cfg)
	for _, c := range []struct {
		path, kind, body string
		status           int
		says             string
	}{
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b"}`, 201, ""},
		{"/api/v1/rework", "application/json; charset=utf-8", `{"slot":"1","reason":"r","by":"b","reflash":false,"keepAll":true,"set":{},"newCredentials":false,"expires":"30m"}`, 201, ""},
		{"/api/v1/rework", "text/plain", `{}`, 400, "text/plain"},
		{"/api/v1/rework", "", `{}`, 400, "the body has the type"},
		{"/api/v1/rework", "application/x-www-form-urlencoded", `unit=` + passedUnit, 400, "x-www-form-urlencoded"},
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b","keepall_":true}`, 400, `there is no field "keepall_", only unit, slot, reason, by`},
		{"/api/v1/rework", "application/json", `{"Unit":"` + passedUnit + `","reason":"r","by":"b"}`, 400, `there is no field "Unit"`},
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b","reflash":true,"reflash":false}`, 400, `the field "reflash" is there twice`},
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b","set":{"region":"eu","region":"us"}}`, 400, `the field "region" is there twice`},
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b","r\u0065ason":"s"}`, 400, `the field "reason" is there twice`},
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b"}{}`, 400, "the body is no JSON"},
		{"/api/v1/rework", "application/json", ``, 400, "the body is empty"},
		{"/api/v1/rework", "application/json", `{"unit":7}`, 400, `the field "unit" is not for a number`},
		{"/api/v1/rework", "application/json", `{"unit":"` + passedUnit + `","reason":"r","by":"b"}}`, 400, "the body is no JSON"},
		{"/api/v1/rework", "application/json", `[{"unit":"` + passedUnit + `","reason":"r","by":"b"}]`, 400, "the body is no JSON object"},
		{"/api/v1/rework", "application/json", `null`, 400, "the body is no JSON object"},
		{"/api/v1/reworks/x/cancel", "application/json", `{"reason":"r","by":"b"}`, 400, "want its number"},
		{"/api/v1/reworks/99/cancel", "application/json", `{"reason":"r","by":"b"}`, 404, "no such rework"},
		{"/api/v1/reworks/2/cancel", "application/json", `{"reason":"r","by":"b"}`, 200, ""},
		{"/api/v1/reworks/2/cancel", "application/json", `{"reason":"r","by":"b"}`, 409, "cancelled"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		control.ServeHTTP(w, r)
		var e Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Errorf("%s: %v", c.body, err)
		}
		if w.Code != c.status || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s %s: %d %q, want %d and %q", c.path, c.body, w.Code, e.Message, c.status, c.says)
		}
	}
	for query, says := range map[string]string{"?opne=true": "opne", "?state=perhaps": "perhaps", "?after=x": "x", "?limit=-1": "limit", "?unit=1": "12 hex digits"} {
		w := httptest.NewRecorder()
		control.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/reworks"+query, nil))
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), says) {
			t.Errorf("reworks%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestReworkIsNotForTheNetwork(t *testing.T) {
	_, cfg := newFake(t)
	for _, path := range []string{"/api/v1/rework", "/api/v1/reworks/1/cancel"} {
		w := ask(cfg, http.MethodPost, path)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "over the network") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(cfg, http.MethodGet, "/api/v1/reworks"); w.Code != http.StatusOK {
		t.Errorf("the list: %d %s", w.Code, w.Body)
	}
}
