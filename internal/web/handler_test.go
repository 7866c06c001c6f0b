package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/internal/station"
)

// addressOf is an address that a path of the pages stands for.
func addressOf(path string) string {
	return strings.NewReplacer("{$}", "", "{id}", passedUnit).Replace(path)
}

func TestPagesAreWholeAndSmall(t *testing.T) {
	_, cfg := newFake(t)
	total := 0
	asked := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"|from "\./([^"]+)"`)
	for path := range assets {
		w := ask(cfg, http.MethodGet, addressOf(path))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		total += w.Body.Len()
		text := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, foreign := range []string{"http://", "https://", "@import", "<style", " style=", "onclick=", "innerHTML", "eval("} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s: holds %q, which its own policy forbids", path, foreign)
			}
		}
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			if assets[m[1]] == nil && assets["/assets/"+m[2]] == nil {
				t.Errorf("%s asks for %s, which there is not", path, m[0])
			}
		}
	}
	t.Logf("all pages with what they ask for: %d bytes", total)
	if total > 100_000 {
		t.Errorf("the pages have %d bytes", total)
	}
}

// The board has a word, a shape and a colour for each state.
func TestBoardKnowsEveryState(t *testing.T) {
	_, cfg := newFake(t)
	page := ask(cfg, http.MethodGet, "/").Body.String()
	style := ask(cfg, http.MethodGet, "/assets/board.css").Body.String()
	script := ask(cfg, http.MethodGet, "/assets/lib.js").Body.String()
	for _, s := range station.SlotStates {
		if want := `id="shape-` + string(s) + `"`; !strings.Contains(page, want) {
			t.Errorf("layout.html has no %s", want)
		}
		if want := "[data-state=" + string(s) + "]"; !strings.Contains(style, want) {
			t.Errorf("board.css has no %s", want)
		}
		if want := string(s) + `: "`; !strings.Contains(script, want) {
			t.Errorf("lib.js has no word for %s", s)
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	_, cfg := newFake(t)
	for _, path := range []string{"/", "/units", "/assets/board.js", "/api/v1/status", "/metrics", "/healthz", "/nowhere"} {
		h := ask(cfg, http.MethodGet, path).Header()
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, h)
		}
		if cors := h.Get("Access-Control-Allow-Origin"); cors != "" {
			t.Errorf("%s: other sites are let in: %s", path, cors)
		}
	}
}

func TestHostHeader(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		listen, host string
		ok           bool
	}{
		{"127.0.0.1:9470", "127.0.0.1:9470", true},
		{"127.0.0.1:9470", "localhost:9470", true},
		{"127.0.0.1:9470", "LOCALHOST.", true},
		{"127.0.0.1:9470", "[::1]:9470", true},
		{"127.0.0.1:9470", "127.8.8.8", true},
		{"127.0.0.1:9470", "evil.example:9470", false},
		{"127.0.0.1:9470", "127.0.0.1.evil.example", false},
		{"127.0.0.1:9470", "localhost.evil.example", false},
		{"127.0.0.1:9470", "10.1.2.3:9470", false},
		{"127.0.0.1:9470", "", false},
		{"127.0.0.1:9470", machine, false},
		{"Jig-3.factory:9470", "jig-3.factory:9470", true},
		{"jig-3.factory:9470", "jig-4.factory:9470", false},
		{"10.1.2.3:80", "10.1.2.3", true},
		{"10.1.2.3:80", "10.1.2.4", false},
		{":9470", "10.1.2.3:9470", true},
		{":9470", "evil.example", false},
		{":9470", "", false},
		{"0.0.0.0:9470", machine + ":9470", true},
		{"0.0.0.0:9470", machine + ".local:9470", true},
		{"[::]:9470", "[fd00::1]:9470", true},
		{"[::]:9470", "evil.example", false},
	} {
		_, cfg := newFake(t)
		cfg.Listen = c.listen
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.Host = c.host
		NewHandler(cfg).ServeHTTP(w, r)
		want := http.StatusMisdirectedRequest
		if c.ok {
			want = http.StatusOK
		}
		if w.Code != want {
			t.Errorf("listening on %q, asked as %q: %d, want %d", c.listen, c.host, w.Code, want)
		}
	}
}

// A station goes by the names in its certificate, and by those that it is given.
func TestNamesOfTheStation(t *testing.T) {
	_, cfg := newFake(t)
	files := [2]string{filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")}
	writeCertificate(t, files[0], files[1], 1, time.Now(), "jig-3.factory.example", "*.board.example", "10.9.8.7", "fd00::7")
	var err error
	if cfg.Certificate, err = LoadCertificate(files[0], files[1], cfg.Log); err != nil {
		t.Fatal(err)
	}
	cfg.Names = []string{"proxy.example", "fd00::8"}
	for host, want := range map[string]int{
		"jig-3.factory.example:9470":  http.StatusOK,
		"JIG-3.Factory.example.:9470": http.StatusOK,
		"three.board.example":         http.StatusOK,
		"10.9.8.7:9470":               http.StatusOK,
		"[fd00::7]:9470":              http.StatusOK,
		"proxy.example":               http.StatusOK,
		"[fd00::8]":                   http.StatusOK,
		"jig-4.factory.example":       http.StatusMisdirectedRequest,
		"evil.three.board.example":    http.StatusMisdirectedRequest,
		"10.9.8.8":                    http.StatusMisdirectedRequest,
		"":                            http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.Host = host
		w := httptest.NewRecorder()
		NewHandler(cfg).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("asked as %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestWrongRequests(t *testing.T) {
	_, cfg := newFake(t)
	for _, c := range []struct {
		method, path string
		want         int
		says         string
	}{
		{"POST", "/api/v1/status", 405, "POST is not for /api/v1/status"},
		{"DELETE", "/api/v1/units/" + passedUnit, 405, "DELETE"},
		{"GET", "/api/v1/rework", 405, "GET"},
		{"POST", "/api/v1/rework", 403, "over the network"},
		{"POST", "/", 405, "POST"},
		{"GET", "/api/v1/nothing", 404, "/api/v1/nothing"},
		{"GET", "/etc/passwd", 404, "/etc/passwd"},
		{"GET", "/api/v1/units/xyz", 400, `"xyz"`},
		{"GET", "/api/v1/units/" + freshUnit, 404, freshUnit},
		{"GET", "/api/v1/attempts?outcome=great", 400, `"great"`},
		{"GET", "/api/v1/attempts?unit=1", 400, `"1"`},
		{"GET", "/api/v1/attempts?since=yesterday", 400, "yesterday"},
		{"GET", "/api/v1/attempts?until=-1h", 400, "-1h"},
		{"GET", "/api/v1/attempts?limit=-1", 400, "limit"},
		{"GET", "/api/v1/attempts?open=perhaps", 400, "perhaps"},
		{"GET", "/api/v1/attempts?slott=1", 400, "slott"},
	} {
		w := ask(cfg, c.method, c.path)
		var e Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Errorf("%s %s: %v in %q", c.method, c.path, err, w.Body)
		}
		if w.Code != c.want || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s %s: %d %q, want %d and %q", c.method, c.path, w.Code, e.Message, c.want, c.says)
		}
		if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow header", c.method, c.path)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	f, cfg := newFake(t)
	if w := ask(cfg, http.MethodGet, "/readyz"); w.Code != http.StatusOK {
		t.Errorf("ready: %d", w.Code)
	}
	f.ready = errors.New("the record cannot be written")
	if w := ask(cfg, http.MethodGet, "/readyz"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "record") {
		t.Errorf("not ready: %d %s", w.Code, w.Body)
	}
	if w := ask(cfg, http.MethodGet, "/healthz"); w.Code != http.StatusOK {
		t.Errorf("healthy: %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	_, cfg := newFake(t)
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "flashd_tests_total", Help: "Tests."})
	reg.MustRegister(c)
	c.Add(3)
	cfg.Metrics = reg
	if w := ask(cfg, http.MethodGet, "/metrics"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "flashd_tests_total 3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStatus(t *testing.T) {
	f, cfg := newFake(t)
	var got station.View
	if err := json.Unmarshal(ask(cfg, http.MethodGet, "/api/v1/status").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.view, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	var slots []station.SlotView
	if err := json.Unmarshal(ask(cfg, http.MethodGet, "/api/v1/slots").Body.Bytes(), &slots); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.view.Slots, slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
}
