package web

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	rightToken = "0123456789abcdef0123456789abcdef"
	asked      = `{"unit": "` + passedUnit + `", "reason": "return", "by": "Ann"}`
)

// change asks for a rework with the headers, over TCP.
func change(h http.Handler, body string, header http.Header) *httptest.ResponseRecorder {
	return changeFrom(h, "192.0.2.1:1234", body, header)
}

func changeFrom(h http.Handler, remote, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/rework", strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost:9470", remote
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func authorization(value string) http.Header { return http.Header{"Authorization": {value}} }

func TestChangesWantTheToken(t *testing.T) {
	f, cfg := newFake(t)
	cfg.Token = rightToken
	h := NewHandler(cfg)
	for name, header := range map[string]http.Header{
		"none":        {},
		"empty":       authorization("Bearer "),
		"wrong":       authorization("Bearer " + rightToken[1:] + "0"),
		"part":        authorization("Bearer " + rightToken[:8]),
		"no scheme":   authorization(rightToken),
		"other":       authorization("Basic " + rightToken),
		"as a cookie": {"Cookie": {"token=" + rightToken}},
	} {
		w := change(h, asked, header)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" || !strings.Contains(w.Body.String(), "hint") {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), rightToken) {
			t.Errorf("%s: the answer has the token", name)
		}
	}
	if u, err := f.store.Unit(passedUnit); err != nil || u.Rework != nil {
		t.Fatalf("a rework without the token: %+v, %v", u.Rework, err)
	}
	w := change(h, asked, authorization("bearer "+rightToken))
	if u, err := f.store.Unit(passedUnit); w.Code != http.StatusCreated || err != nil || u.Rework == nil || u.Rework.By != "Ann" {
		t.Errorf("with the token: %d %s, %v", w.Code, w.Body, err)
	}
}

// Without a token to ask for, nobody has the right one: not even an empty one.
func TestWithoutTokenNothingIsChanged(t *testing.T) {
	f, cfg := newFake(t)
	for name, header := range map[string]http.Header{"none": {}, "empty": authorization("Bearer "), "some": authorization("Bearer x")} {
		if w := change(NewHandler(cfg), asked, header); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for r, err := range f.store.Reworks("", 0) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	f, cfg := newFake(t)
	cfg.Token = rightToken
	h := NewHandler(cfg)
	for name, foreign := range map[string][2]string{
		"site":        {"Sec-Fetch-Site", "cross-site"},
		"same domain": {"Sec-Fetch-Site", "same-site"},
		"origin":      {"Origin", "https://evil.example"},
		"other port":  {"Origin", "http://localhost:8080"},
		"no origin":   {"Origin", "null"},
	} {
		header := authorization("Bearer " + rightToken)
		header.Set(foreign[0], foreign[1])
		if w := change(h, asked, header); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for r, err := range f.store.Reworks("", 0) {
		t.Errorf("%+v, %v", r, err)
	}
	own := authorization("Bearer " + rightToken)
	own.Set("Origin", "http://localhost:9470")
	own.Set("Sec-Fetch-Site", "same-origin")
	if w := change(h, asked, own); w.Code != http.StatusCreated {
		t.Errorf("own page: %d %s", w.Code, w.Body)
	}
}

// audits returns the audit lines of a log.
func audits(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for d := json.NewDecoder(log); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line["msg"] == "audit" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestChangesAreAudited(t *testing.T) {
	var log bytes.Buffer
	_, cfg := newFake(t)
	cfg.Token, cfg.Log = rightToken, slog.New(slog.NewJSONHandler(&log, nil))
	h := NewHandler(cfg)
	change(h, asked, authorization("Bearer wrong"))
	change(h, asked, authorization("Bearer "+rightToken))
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	if _, err := c.CancelRework(t.Context(), 1, "Bob", "mistake"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), rightToken) || strings.Contains(log.String(), "Bearer") {
		t.Error("the log has a token")
	}
	lines := audits(t, &log)
	if len(lines) != 3 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for i, want := range []map[string]any{
		{"level": "WARN", "status": 401.0, "from": "192.0.2.1:1234", "path": "/api/v1/rework"},
		{"level": "INFO", "status": 201.0, "from": "192.0.2.1:1234", "action": "rework", "unit": passedUnit, "by": "Ann"},
		{"level": "INFO", "status": 200.0, "action": "cancel rework", "rework": 1.0, "by": "Bob", "path": "/api/v1/reworks/1/cancel"},
	} {
		for key, value := range want {
			if lines[i][key] != value {
				t.Errorf("line %d: %s is %v, want %v", i, key, lines[i][key], value)
			}
		}
	}
	if who, _ := lines[2]["from"].(string); !strings.HasPrefix(who, "user ") || !strings.Contains(who, "process") {
		t.Errorf("over the socket from %q", who)
	}
}
