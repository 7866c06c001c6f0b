package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/jobs"
)

// pipes is a listener whose connections are in memory, so that time can be fake.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours
}

// onPipes serves the handler for TCP in a bubble of fake time.
func onPipes(t *testing.T, cfg Config, test func(t *testing.T, dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, done := make(pipes), make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- Serve(ctx, l, NewHandler(cfg), slog.New(slog.DiscardHandler)) }()
		test(t, l.dial)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A client that says what it has to say very slowly, or hears it so, is not
// waited for: its place is another's.
func TestSlowClients(t *testing.T) {
	_, cfg := newFake(t)
	cfg.Token = rightToken
	post := "POST /api/v1/rework HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + rightToken + "\r\nContent-Length: 1000\r\n\r\n"
	for _, c := range []struct {
		name, atOnce, slowly string
		answer               string // how it begins
		within               time.Duration
	}{
		{"nothing", "", "", "", 6 * time.Second},
		{"headers", "GET / HTTP/1.1\r\nHost: localhost\r\n", "X-A: b\r\n", "", 6 * time.Second},
		{"body", post, " ", "HTTP/1.1 408", 11 * time.Second},
		{"the next request", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "", "HTTP/1.1 200", 61 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			onPipes(t, cfg, func(t *testing.T, dial func() net.Conn) {
				conn, begun := dial(), time.Now()
				var wg sync.WaitGroup
				defer wg.Wait()
				wg.Go(func() {
					_, err := io.WriteString(conn, c.atOnce)
					for err == nil && c.slowly != "" {
						time.Sleep(time.Second)
						_, err = io.WriteString(conn, c.slowly)
					}
				})
				answer, err := io.ReadAll(conn)
				if took := time.Since(begun); err != nil || took > c.within || !bytes.HasPrefix(answer, []byte(c.answer)) {
					t.Errorf("after %v: %q, %v", took, answer, err)
				}
			})
		})
	}
	t.Run("listening", func(t *testing.T) {
		onPipes(t, cfg, func(t *testing.T, dial func() net.Conn) {
			conn := dial()
			if _, err := io.WriteString(conn, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(writeWait + time.Second)                   // it takes nothing of the answer
			_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // fails if the other end has closed, as it should
			if answer, err := io.ReadAll(conn); err != nil {
				t.Errorf("still connected: %v after %q", err, answer)
			}
		})
	})
}

// talk sends what a client that keeps to no rules may, and returns the answer.
func talk(t *testing.T, address, request string) *http.Response {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

// Whatever the path looks like, it leads to a page, to an answer of the API, to
// a place on this station, or nowhere.
func TestPathsLeadNowhereElse(t *testing.T) {
	_, cfg := newFake(t)
	url, _ := serveTCP(t, cfg)
	address := strings.TrimPrefix(url, "http://")
	for target, want := range map[string]int{
		"/../../etc/passwd":                           http.StatusTemporaryRedirect,
		"/%2e%2e/%2e%2e/etc/passwd":                   http.StatusNotFound,
		"/..%2f..%2fetc%2fpasswd":                     http.StatusNotFound,
		"/assets/../board.go":                         http.StatusTemporaryRedirect,
		"/assets/..%2fboard.go":                       http.StatusNotFound,
		"/assets/..%5cboard.go":                       http.StatusNotFound,
		"/assets/":                                    http.StatusNotFound,
		"/assets/layout.html":                         http.StatusNotFound,
		"//evil.example/":                             http.StatusTemporaryRedirect,
		"///evil.example":                             http.StatusTemporaryRedirect,
		"/\\evil.example/":                            http.StatusNotFound,
		"/%5cevil.example/..":                         http.StatusTemporaryRedirect,
		"/api/v1//backup":                             http.StatusTemporaryRedirect,
		"/api/v1/backup":                              http.StatusNotFound,
		"/api/v1/backup%2f":                           http.StatusNotFound,
		"/api/v1/units/..%2fbackup":                   http.StatusBadRequest,
		"/api/v1/units/%00":                           http.StatusBadRequest,
		"/api/v1/units/" + passedUnit + "%2f..":       http.StatusBadRequest,
		"/api/v1/units/" + passedUnit + "/":           http.StatusNotFound,
		"/api/v1/status;x=1":                          http.StatusNotFound,
		"/API/v1/status":                              http.StatusNotFound,
		"http://evil.example/api/v1/status":           http.StatusMisdirectedRequest,
		"http://" + address + "/api/v1/status":        http.StatusOK,
		"/units/" + strings.Repeat("A", 12):           http.StatusOK,
		"/units/%3Cscript%3Ealert(1)%3C%2Fscript%3E":  http.StatusOK, // the page is the same for all units
		"/units/" + strings.Repeat("%2e%2e%2f", 1000): http.StatusOK,
		"/" + strings.Repeat("x", 30_000):             http.StatusRequestHeaderFieldsTooLarge,
	} {
		resp := talk(t, address, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, address))
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want {
			t.Errorf("%.60s: %s %.200s, want %d", target, resp.Status, body, want)
		}
		to := resp.Header.Get("Location")
		if to != "" && (to[0] != '/' || len(to) > 1 && (to[1] == '/' || to[1] == '\\')) {
			t.Errorf("%.60s leads to %q", target, to)
		}
		if bytes.Contains(body, []byte("<script>alert")) || bytes.Contains(body, []byte("package web")) {
			t.Errorf("%.60s: %.200s", target, body)
		}
	}
}

func TestRequestsThatKeepToNoRules(t *testing.T) {
	_, cfg := newFake(t)
	cfg.Token = rightToken
	url, _ := serveTCP(t, cfg)
	address := strings.TrimPrefix(url, "http://")
	host := "Host: " + address + "\r\n"
	change := host + "Authorization: Bearer " + rightToken + "\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"no host":          {"GET / HTTP/1.1\r\n\r\n", 400},
		"no host at all":   {"GET / HTTP/1.0\r\n\r\n", 421},
		"two hosts":        {"GET / HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n", 400},
		"rebound":          {"GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
		"host with a path": {"GET / HTTP/1.1\r\nHost: localhost/../evil.example\r\n\r\n", 400},
		"forwarded":        {"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n\r\n", 421},
		"large header":     {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", 431},
		"options of all":   {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400},
		"options":          {"OPTIONS /api/v1/rework HTTP/1.1\r\n" + host + "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", 405},
		"trace":            {"TRACE / HTTP/1.1\r\n" + host + "\r\n", 405},
		"put":              {"PUT /api/v1/rework HTTP/1.1\r\n" + change + "Content-Length: 2\r\n\r\n{}", 405},
		"another method":   {"GET /api/v1/rework HTTP/1.1\r\n" + change + "X-HTTP-Method-Override: POST\r\n\r\n", 405},
		"method in lower":  {"post /api/v1/rework HTTP/1.1\r\n" + change + "Content-Length: 2\r\n\r\n{}", 405},
		"large body":       {"POST /api/v1/rework HTTP/1.1\r\n" + change + "Content-Length: 99999999999\r\n\r\n" + strings.Repeat("x", maxBody+1), 413},
		"large chunks":     {"POST /api/v1/rework HTTP/1.1\r\n" + change + "Transfer-Encoding: chunked\r\n\r\n10001\r\n" + strings.Repeat("x", 0x10001), 413},
		"two lengths":      {"POST /api/v1/rework HTTP/1.1\r\n" + change + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400},
		"length and chunk": {"POST /api/v1/rework HTTP/1.1\r\n" + change + "Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}", 501},
		"two tokens":       {"POST /api/v1/rework HTTP/1.1\r\n" + host + "Authorization: Bearer x\r\nAuthorization: Bearer " + rightToken + "\r\nContent-Length: 2\r\n\r\n{}", 401},
		"token in query":   {"POST /api/v1/rework?token=" + rightToken + " HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\n{}", 401},
		"a form":           {"POST /api/v1/rework HTTP/1.1\r\n" + host + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 401},
		"a foreign form":   {"POST /api/v1/rework HTTP/1.1\r\n" + change + "Origin: null\r\nContent-Length: 2\r\n\r\n{}", 403},
		"websocket":        {"GET /api/v1/events HTTP/1.1\r\n" + host + "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 403},
		"h2c":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421},
	} {
		resp := talk(t, address, c.request)
		if resp.StatusCode != c.want {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("%s: %s %.200s, want %d", name, resp.Status, body, c.want)
		}
		if cors := resp.Header.Get("Access-Control-Allow-Origin"); cors != "" {
			t.Errorf("%s: other sites are let in: %s", name, cors)
		}
	}
	for r, err := range cfg.Store.Reworks("", 0) {
		t.Errorf("it got through: %+v, %v", r, err)
	}
}

// A page of another site may have a link to the board, but not look at what is
// there, nor hold up the places of those who watch.
func TestOtherSitesReadNothing(t *testing.T) {
	_, cfg := newFake(t)
	h := NewHandler(cfg)
	for _, c := range []struct {
		site, mode, dest, path string
		want                   int
	}{
		{"cross-site", "no-cors", "empty", "/api/v1/events", 403},
		{"cross-site", "cors", "empty", "/api/v1/status", 403},
		{"cross-site", "no-cors", "script", "/assets/lib.js", 403},
		{"cross-site", "no-cors", "image", "/api/v1/attempts.csv", 403},
		{"cross-site", "navigate", "iframe", "/", 403},
		{"same-site", "no-cors", "empty", "/api/v1/events", 403},
		{"cross-site", "navigate", "document", "/units/" + passedUnit, 200},
		{"same-origin", "cors", "empty", "/api/v1/status", 200},
		{"none", "navigate", "document", "/", 200},
		{"", "", "", "/api/v1/status", 200},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Host = "localhost:9470"
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Sec-Fetch-Mode": c.mode, "Sec-Fetch-Dest": c.dest} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}

// Secrets are in no answer, however they are asked for, and in no line of the log.
func TestSecretsStayInside(t *testing.T) {
	var log bytes.Buffer
	_, cfg := newFake(t)
	reg := prometheus.NewRegistry()
	cfg.Token, cfg.Metrics, cfg.Log = rightToken, reg, slog.New(slog.NewTextHandler(&log, nil))
	const tried = "a-token-that-somebody-has-tried-0001"
	h := NewHandler(cfg)
	paths := []string{"/metrics", "/healthz", "/readyz", "/nowhere", "/api/v1/rework", "/api/v1/reworks/1/cancel"}
	for path := range assets {
		paths = append(paths, addressOf(path))
	}
	for path := range newServer(cfg).reads() {
		paths = append(paths, addressOf(path))
	}
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
			for i, header := range []http.Header{{}, authorization("Bearer " + tried), authorization("Bearer " + rightToken)} {
				ctx, cancel := context.WithCancel(t.Context())
				if strings.HasSuffix(path, "/events") {
					cancel() // it would go on
				}
				r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(asked))
				r.Host, r.Header = "localhost:9470", header
				r.RemoteAddr = fmt.Sprintf("10.0.%d.1:1", i)
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				cancel()
				all := w.Body.String() + fmt.Sprint(w.Header())
				if strings.Contains(all, rightToken) || strings.Contains(all, tried) {
					t.Errorf("%s %s: %s", method, path, all)
				}
			}
		}
	}
	if strings.Contains(log.String(), rightToken) || strings.Contains(log.String(), tried) {
		t.Errorf("the log has a token:\n%s", &log)
	}
}

// What people type goes into spreadsheets as text, and into JSON as data.
func TestWhatPeopleTypeIsText(t *testing.T) {
	f, cfg := newFake(t)
	cfg.Token = rightToken
	h := NewHandler(cfg)
	const formula, script = `=HYPERLINK(\"http://evil.example\",\"x\")`, `</script><script>alert(1)</script>`
	body := `{"unit": "` + passedUnit + `", "reason": "` + formula + `", "by": "@SUM(1)` + script + `"}`
	if w := change(h, body, authorization("Bearer "+rightToken)); w.Code != http.StatusCreated || strings.Contains(w.Body.String(), "<script>") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	units := askHandler(h, http.MethodGet, "/api/v1/units.csv").Body.String()
	record(t, f.store, jobs.Attempt{Slot: "-2", Path: "1-1.1", Release: "+demo"}, passedUnit, jobs.Result{
		Outcome: jobs.Pass, BootCheckOff: true, Verified: []jobs.Region{{Name: "nvs", Offset: 0x9000, Size: 0x5000}},
		Notes: []string{"＝1+1"},
	})
	attempts := askHandler(h, http.MethodGet, "/api/v1/attempts.csv").Body.String()
	for name, text := range map[string]string{"units": units, "attempts": attempts} {
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, row := range rows {
			for _, field := range row {
				found = found || strings.HasPrefix(field, "'=HYPERLINK(")
				if strings.ContainsAny(field[:min(3, len(field))], "=@＝") && field[0] != '\'' || strings.HasPrefix(field, "+") || strings.HasPrefix(field, "-") {
					t.Errorf("%s.csv: a spreadsheet takes %q for a formula", name, field)
				}
			}
		}
		if !found {
			t.Errorf("%s.csv does not have the reason:\n%s", name, text)
		}
	}
	for _, path := range []string{"/api/v1/reworks", "/api/v1/attempts", "/api/v1/units/" + passedUnit} {
		w := askHandler(h, http.MethodGet, path)
		if strings.Contains(w.Body.String(), "<script>") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}
