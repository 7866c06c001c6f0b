package web

import (
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
)

func TestUnits(t *testing.T) {
	_, cfg := newFake(t)
	var units []jobs.Unit
	decodeAnswer(t, ask(cfg, http.MethodGet, "/api/v1/units"), &units)
	if len(units) != 2 || units[0].ID != passedUnit || !units[0].Passed || units[1].ID != failedUnit || units[1].Passed {
		t.Errorf("units: %+v", units)
	}
	for _, id := range []string{passedUnit, "a1:b2:c3:d4:e5:f6", "a1-b2-c3-d4-e5-f6"} {
		var u jobs.Unit
		decodeAnswer(t, ask(cfg, http.MethodGet, "/api/v1/units/"+id), &u)
		if diff := cmp.Diff(units[0], u); diff != "" {
			t.Errorf("unit %s (-list +alone):\n%s", id, diff)
		}
	}
}

func TestAttempts(t *testing.T) {
	_, cfg := newFake(t)
	for query, want := range map[string][]uint64{
		"":                                  {3, 2, 1},
		"?slot=2":                           {3, 2},
		"?unit=a1:b2:c3:d4:e5:f6":           {1},
		"?outcome=fail":                     {2},
		"?release=old":                      {3},
		"?kind=mismatch":                    {2},
		"?phase=connect":                    {3},
		"?blame=rig":                        {3},
		"?limit=2":                          {3, 2},
		"?limit=0":                          {3, 2, 1},
		"?since=1h":                         {3, 2, 1},
		"?since=2100-01-01T00:00:00Z":       {},
		"?until=2001-01-01T00:00:00Z":       {},
		"?open=true":                        {},
		"?slot=2&outcome=error&release=old": {3},
	} {
		var list []jobs.Attempt
		decodeAnswer(t, ask(cfg, http.MethodGet, "/api/v1/attempts"+query), &list)
		got := []uint64{}
		for _, a := range list {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("attempts%s: %v, want %v", query, got, want)
		}
	}
}

func TestNothingIsAnEmptyArray(t *testing.T) {
	_, cfg := newFake(t)
	if got := strings.TrimSpace(ask(cfg, http.MethodGet, "/api/v1/attempts?slot=1&outcome=fail").Body.String()); got != "[]" {
		t.Errorf("no attempts: %s", got)
	}
}

// What no attempt can have is told; what some had once is found.
func TestUnknownWords(t *testing.T) {
	_, cfg := newFake(t)
	cfg.Releases = func() ([]firmware.Summary, error) { return []firmware.Summary{{Name: "gateway-2"}}, nil }
	for query, want := range map[string]string{
		"attempts?kind=no_sinc":            `{"error":"kind \"no_sinc\" is not known","hint":"Did you mean no_sync?"}`,
		"attempts?phase=boot":              `{"error":"phase \"boot\" is not known","hint":"Did you mean reboot?"}`,
		"attempts?phase=everything":        `"hint":"There are connect, identify, `,
		"attempts?slot=one":                `{"error":"slot \"one\" is not known","hint":"There are 1, 2."}`,
		"attempts.csv?slot=3":              `slot \"3\" is not known`,
		"attempts?release=gatway-2":        "Did you mean gateway-2?",
		"attempts?release=old&slot=2":      `{"id":3,`,
		"attempts?release=gateway-2":       "[]",
		"units?release=gatway-2":           "Did you mean gateway-2?",
		"units.csv?release=gatway-2":       "Did you mean gateway-2?",
		"units?outcome=passed":             "outcome ",
		"units?outcome=fail":               failedUnit,
		"units?outcome=pass&since=1h":      passedUnit,
		"units?outcome=pass&until=1h":      "[]",
		"units?since=1h&order=recent":      `{"id":"` + failedUnit,
		"units?until=1h&order=recent":      "[]",
		"units?since=2100-01-01T00:00:00Z": "[]",
		"units?since=yesterday":            "since ",
		"units?outcome=pass&state=faild":   "want passed, failed or working",
	} {
		if got := ask(cfg, http.MethodGet, "/api/v1/"+query).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func decodeAnswer(t *testing.T, w *httptest.ResponseRecorder, into any) {
	t.Helper()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}

// An error before the first element is an answer; one after it must not look
// like the end of the list.
func TestListThatBreaks(t *testing.T) {
	broken := func(after int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range after {
				if !yield(i, nil) {
					return
				}
			}
			yield(0, errors.New("the disk is gone"))
		}
	}
	w := httptest.NewRecorder()
	answerList(w, broken(0))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "the disk is gone") {
		t.Errorf("at once: %d %s", w.Code, w.Body)
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the answer was not cut off")
		}
	}()
	answerList(httptest.NewRecorder(), broken(2))
}

func TestQueryIsTheInverseOfFilter(t *testing.T) {
	full := jobs.Filter{
		Unit: passedUnit, Slot: "left 2&3", Outcome: jobs.Fail, Release: "gateway-2.4.1", Kind: "no_sync", Phase: "connect", Blame: jobs.BlameUnit, Open: true, Limit: 7,
		Since: time.Date(2026, 3, 2, 8, 0, 0, 123, time.UTC), Until: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC),
	}
	for _, want := range []jobs.Filter{{}, full} {
		got, err := filterOf(queryOf(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("filter (-want +got):\n%s", diff)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("unit=a1:b2:c3:d4:e5:f6&limit=3")
	f.Add("since=8h&until=2026-03-02T08:00:00%2B13:00&open=1")
	f.Add("outcome=pass&slot=%20&release=%00")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		want, err := filterOf(q)
		if err != nil {
			return
		}
		got, err := filterOf(queryOf(want))
		if err != nil {
			t.Fatalf("%q is a filter, and what it is written as is not: %v", query, err)
		}
		if !got.Since.Equal(want.Since) || !got.Until.Equal(want.Until) {
			t.Errorf("times of %q: %v, want %v", query, got, want)
		}
		got.Since, got.Until, want.Since, want.Until = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		if got != want {
			t.Errorf("filter %q: %+v, want %+v", query, got, want)
		}
	})
}

var secretName = regexp.MustCompile(`(?i)passw|passwd|mqtt|secret|token|salt|psk|private|ssid|hash|\bkey\b|wifi`)

// No answer has a field that is named like a secret, or holds one that somebody
// put where people write.
func TestNoSecrets(t *testing.T) {
	f, cfg := newFake(t)
	const canary = "Bearer hunter2hunter2"
	if _, err := f.store.AllowRework(jobs.Rework{Unit: passedUnit, Reason: "server said " + canary, By: "Ann"}); err != nil {
		t.Fatal(err)
	}
	f.view.Totals.CycleP95 = 1
	for _, path := range []string{"/api/v1/status", "/api/v1/slots", "/api/v1/units", "/api/v1/units/" + passedUnit, "/api/v1/attempts"} {
		body := ask(cfg, http.MethodGet, path).Body.Bytes()
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		names := fieldNames(v)
		if len(names) == 0 {
			t.Errorf("%s: no fields to look at", path)
		}
		for _, name := range names {
			if secretName.MatchString(name) {
				t.Errorf("%s: field %q", path, name)
			}
		}
		if strings.Contains(string(body), "hunter2") {
			t.Errorf("%s: shows a token", path)
		}
	}
}

func fieldNames(v any) (names []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			names = append(append(names, name), fieldNames(field)...)
		}
	case []any:
		for _, element := range v {
			names = append(names, fieldNames(element)...)
		}
	}
	return names
}
