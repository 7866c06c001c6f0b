package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// openAPI is the description, which must be right in itself.
func openAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// What is described is there, and what is there is described.
func TestOpenAPIHasEveryPath(t *testing.T) {
	doc := openAPI(t)
	reads, changes := map[string]bool{"/api/v1/openapi.yaml": true}, map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			switch {
			case method == http.MethodGet && op.Security == nil:
				reads[path] = true
			case method == http.MethodPost && op.Security != nil:
				changes[path] = true
			default:
				t.Errorf("%s %s: security %v", method, path, op.Security)
			}
		}
	}
	s := &server{}
	if diff := cmp.Diff(sorted(s.reads()), sorted(reads)); diff != "" {
		t.Errorf("reads (-there +described):\n%s", diff)
	}
	if diff := cmp.Diff(sorted(s.changes()), sorted(changes)); diff != "" {
		t.Errorf("changes (-there +described):\n%s", diff)
	}
}

func TestOpenAPIHasEveryParameter(t *testing.T) {
	doc := openAPI(t)
	for path, want := range map[string][]string{
		"/api/v1/status": nil, "/api/v1/slots": nil, "/api/v1/releases": nil,
		"/api/v1/history": {qSince}, "/api/v1/reworks": reworkFields,
		"/api/v1/units": unitFields, "/api/v1/units.csv": unitFields,
		"/api/v1/attempts": queryFields, "/api/v1/attempts.csv": queryFields,
	} {
		var got []string
		for _, p := range doc.Paths.Find(path).Get.Parameters {
			got = append(got, p.Value.Name)
		}
		slices.Sort(got)
		if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("%s: described %v, taken %v", path, got, want)
		}
	}
}

// A schema has the fields that the Go type puts into JSON, and requires those
// that are always there.
func TestOpenAPIHasEveryField(t *testing.T) {
	doc := openAPI(t)
	for name, value := range map[string]any{
		"Error": Error{}, "View": Status{}, "Slot": station.SlotView{}, "Totals": station.Totals{}, "History": History{},
		"Release": release{}, "Segment": firmware.SegmentSummary{}, "Region": jobs.Region{}, "Unit": jobs.Unit{}, "Attempt": jobs.Attempt{},
		"Rework": jobs.Rework{}, "AllowedRework": ReworkAnswer{}, "ReworkRequest": ReworkRequest{},
	} {
		schema := doc.Components.Schemas[name].Value
		if diff := cmp.Diff(jsonFields(reflect.TypeOf(value), false), sorted(schema.Properties)); diff != "" {
			t.Errorf("%s (-Go +described):\n%s", name, diff)
		}
		if name == "ReworkRequest" {
			continue // what a client must say is another matter
		}
		if diff := cmp.Diff(jsonFields(reflect.TypeOf(value), true), slices.Sorted(slices.Values(schema.Required))); diff != "" {
			t.Errorf("%s requires (-Go +described):\n%s", name, diff)
		}
	}
}

// jsonFields are the names of the fields of a struct in JSON, or of those that
// are never left out, sorted.
func jsonFields(t reflect.Type, always bool) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, jsonFields(f.Type, always)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "-" && f.IsExported() && !(always && strings.HasPrefix(options, "omit")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkAnswer checks an answer against the description of the operation.
func checkAnswer(t *testing.T, what string, op *openapi3.Operation, w *httptest.ResponseRecorder) {
	t.Helper()
	response := op.Responses.Status(w.Code)
	if response == nil {
		response = op.Responses.Default()
	}
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	media := response.Value.Content[kind]
	if media == nil {
		t.Errorf("%s: %d with the type %q", what, w.Code, kind)
		return
	}
	if kind != "application/json" {
		return
	}
	var body any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if err := media.Schema.Value.VisitJSON(body, openapi3.MultiErrors()); err != nil {
		t.Errorf("%s: %d\n%s\n%v", what, w.Code, w.Body, err)
	}
}

func TestAnswersAreAsDescribed(t *testing.T) {
	doc := openAPI(t)
	_, cfg := newFake(t)
	dir := t.TempDir()
	if _, err := firmware.Demo(dir, "demo", "esp32s3"); err != nil {
		t.Fatal(err)
	}
	cfg.Releases = func() ([]firmware.Summary, error) {
		list, err := firmware.List(dir)
		return append(list, firmware.Summary{Name: "broken", Problem: "no manifest"}), err
	}
	control := NewControl(cfg)
	for range 2 { // before and after what is changed
		for path, item := range doc.Paths.Map() {
			if item.Get == nil || path == "/api/v1/events" {
				continue
			}
			at := addressOf(path)
			if w := ask(cfg, http.MethodGet, at); w.Code == http.StatusOK {
				checkAnswer(t, at, item.Get, w)
			} else {
				t.Errorf("%s: %d %s", at, w.Code, w.Body)
			}
			if path == "/api/v1/units/{id}" {
				checkAnswer(t, "no unit", item.Get, ask(cfg, http.MethodGet, "/api/v1/units/"+freshUnit))
				checkAnswer(t, "no ID", item.Get, ask(cfg, http.MethodGet, "/api/v1/units/x"))
			} else if len(item.Get.Parameters) > 0 {
				w := ask(cfg, http.MethodGet, at+"?nosuch=1")
				if checkAnswer(t, at+"?nosuch", item.Get, w); w.Code != http.StatusBadRequest {
					t.Errorf("%s?nosuch: %d", at, w.Code)
				}
			}
		}
		full := `{"slot": "1", "reason": "return", "by": "Ann", "keepAll": true, "newCredentials": true, "set": {"region": "eu"}, "expires": "30m"}`
		for _, body := range []string{full, `{"unit": "` + passedUnit + `", "reason": "return", "by": "Ann"}`, `{}`, `{"unit": "` + freshUnit + `", "reason": "x", "by": "y"}`} {
			checkAnswer(t, "rework "+body, doc.Paths.Find("/api/v1/rework").Post, change(control, body, http.Header{}))
		}
		cancel := httptest.NewRequest(http.MethodPost, "/api/v1/reworks/1/cancel", strings.NewReader(`{"reason": "mistake", "by": "Bob"}`))
		cancel.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		control.ServeHTTP(w, cancel)
		checkAnswer(t, "cancel", doc.Paths.Find("/api/v1/reworks/{id}/cancel").Post, w)
		checkAnswer(t, "refused", doc.Paths.Find("/api/v1/rework").Post, change(NewHandler(cfg), full, http.Header{}))
	}
}
