package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

// walk follows the Link headers from path on and returns what field says of
// each element of each page.
func walk(t *testing.T, cfg Config, path, field string) (pages [][]string) {
	t.Helper()
	for path != "" {
		w := ask(cfg, http.MethodGet, path)
		var list []map[string]any
		decodeAnswer(t, w, &list)
		page := []string{}
		for _, v := range list {
			page = append(page, fmt.Sprint(v[field]))
		}
		pages = append(pages, page)
		link := w.Header().Get("Link")
		path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		if link != "" && (path == link || len(pages) > 100) {
			t.Fatalf("link %q", link)
		}
	}
	return pages
}

// newFullFake has units 0 to 9, of which every third has failed; units 4 and 2
// were put in again, in this order.
func newFullFake(t *testing.T) Config {
	t.Helper()
	f, cfg := newEmptyFake(t)
	for i := range 10 {
		r := jobs.Result{Outcome: jobs.Pass, BootCheckOff: true, Verified: []jobs.Region{{Name: "nvs", Offset: 0x9000, Size: 0x5000}}}
		if i%3 == 0 {
			r = jobs.Result{Outcome: jobs.Fail, Failure: &jobs.Failure{Phase: "verify", Kind: "mismatch", Blame: jobs.BlameUnit, Text: "=1+1"}}
		}
		record(t, f.store, jobs.Attempt{Slot: "1", Release: fmt.Sprint("r", i%2)}, unitN(i), r)
	}
	record(t, f.store, jobs.Attempt{Slot: "2"}, "", jobs.Result{Outcome: jobs.Error, Failure: &jobs.Failure{Kind: "no_sync", Blame: jobs.BlameRig, Text: "No answer."}})
	record(t, f.store, jobs.Attempt{Slot: "2"}, unitN(4), jobs.Result{Outcome: jobs.Refused})
	record(t, f.store, jobs.Attempt{Slot: "2"}, unitN(2), jobs.Result{Outcome: jobs.Refused})
	return cfg
}

func TestPages(t *testing.T) {
	cfg := newFullFake(t)
	for _, n := range []int{1, 2, 5, 5} {
		if _, err := cfg.Store.AllowRework(jobs.Rework{Unit: unitN(n), Reason: "return", By: "Ann"}); err != nil {
			t.Fatal(err)
		}
	}
	units := func(numbers ...int) (ids []string) {
		for _, n := range numbers {
			ids = append(ids, unitN(n))
		}
		return ids
	}
	for _, c := range []struct {
		path, field string
		want        [][]string
	}{
		{"/api/v1/attempts?limit=6", "id", [][]string{{"13", "12", "11", "10", "9", "8"}, {"7", "6", "5", "4", "3", "2"}, {"1"}}},
		{"/api/v1/attempts?outcome=fail&limit=2", "id", [][]string{{"10", "7"}, {"4", "1"}}},
		{"/api/v1/attempts?outcome=fail&limit=1001", "id", [][]string{{"10", "7", "4", "1"}}},
		{"/api/v1/units?limit=4", "id", [][]string{units(0, 1, 2, 3), units(4, 5, 6, 7), units(8, 9)}},
		{"/api/v1/units?order=recent&limit=4", "id", [][]string{units(2, 4, 9, 8), units(7, 6, 5, 3), units(1, 0)}},
		{"/api/v1/units?order=recent", "id", [][]string{units(2, 4, 9, 8, 7, 6, 5, 3, 1, 0)}},
		{"/api/v1/units?q=0005", "id", [][]string{units(5)}},
		{"/api/v1/units?q=a1:b2:c3&limit=9", "id", [][]string{units(0, 1, 2, 3, 4, 5, 6, 7, 8), units(9)}},
		{"/api/v1/units?q=0004&order=recent", "id", [][]string{units(4)}},
		{"/api/v1/units?q=FFFF", "id", [][]string{nil}},
		{"/api/v1/units?state=failed", "id", [][]string{units(0, 3, 6, 9)}},
		{"/api/v1/units?state=passed&release=r1", "id", [][]string{units(1, 5, 7)}},
		{"/api/v1/units?order=recent&release=r0", "id", [][]string{units(8, 4, 2)}},
		{"/api/v1/units?order=recent&state=passed&limit=2", "id", [][]string{units(8, 7), units(5, 4), units(2, 1)}},
		{"/api/v1/units?order=recent&state=working", "id", [][]string{nil}},
		{"/api/v1/units?state=working", "id", [][]string{nil}},
		{"/api/v1/units?state=failed&order=recent&limit=3", "id", [][]string{units(9, 6, 3), units(0)}},
		{"/api/v1/reworks", "id", [][]string{{"4", "3", "2", "1"}}},
		{"/api/v1/reworks?limit=3", "id", [][]string{{"4", "3", "2"}, {"1"}}},
		{"/api/v1/reworks?state=armed&limit=1", "id", [][]string{{"4"}, {"2"}, {"1"}}},
		{"/api/v1/reworks?state=replaced", "unit", [][]string{units(5)}},
		{"/api/v1/reworks?state=used", "id", [][]string{nil}},
		{"/api/v1/reworks?limit=1&unit=" + unitN(5), "id", [][]string{{"4"}, {"3"}}},
	} {
		got := walk(t, cfg, c.path, c.field)
		if !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%s: %v, want %v", c.path, got, c.want)
		}
	}
}

func TestWrongPages(t *testing.T) {
	cfg := newFullFake(t)
	for path, want := range map[string]int{
		"units?q=xyz": 400, "units?q=A1B2C3D4E5F60": 400, "units?state=great": 400, "units?order=colour": 400,
		"units?limit=-1": 400, "units?limit=1&after=xyz": 400, "units?limit=1&order=recent&after=xyz": 400,
		"units?slot=1": 400, "attempts?after=0": 400, "attempts?after=x": 400, "attempts?after=99&limit=1": 404, "attempts?after=99": 404,
		"attempts?outcome=fail;slot=2": 400, "attempts?%zz": 400, "units?state=passed&state=failed": 400, "history?since=1h;x": 400,
		"units?order=recent&after=99&limit=1": 404, "history?since=25h": 400, "history?since=0s": 400, "history?since=now": 400,
		"history?until=1h": 400,
	} {
		w := ask(cfg, http.MethodGet, "/api/v1/"+path)
		var e Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != want || e.Message == "" {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

func TestCSV(t *testing.T) {
	cfg := newFullFake(t)
	for path, want := range map[string][]string{
		"attempts.csv?outcome=fail&limit=2": {"10,", "7,"},
		"attempts.csv?slot=2":               {"13,", "12,", "11,"},
		"attempts.csv?slot=9":               {},
		"units.csv?state=failed":            {unitN(0) + ",", unitN(3) + ",", unitN(6) + ",", unitN(9) + ","},
		"units.csv?order=recent&limit=2":    {unitN(2) + ",", unitN(4) + ","},
	} {
		w := ask(cfg, http.MethodGet, "/api/v1/"+path)
		if got := w.Header().Get("Content-Type"); got != "text/csv; charset=utf-8" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: headers %v", path, w.Header())
		}
		lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")[1:]
		if !slices.EqualFunc(lines, want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", path, lines, want)
		}
	}
	if body := ask(cfg, http.MethodGet, "/api/v1/attempts.csv?outcome=fail").Body.String(); !strings.Contains(body, ",'=1+1,") {
		t.Errorf("a formula goes through:\n%s", body)
	}
	for path, want := range map[string]int{"attempts.csv?slott=1": 400, "units.csv?q=x": 400, "units.csv?after=x": 400, "attempts.csv?after=99": 404} {
		w := ask(cfg, http.MethodGet, "/api/v1/"+path)
		if w.Code != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v, want %d", path, w.Code, w.Header(), want)
		}
	}
}
