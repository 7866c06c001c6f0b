package web

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"hoptech.co.nz/flashd/internal/station"
)

// serveTCP runs the handler on a real listener until the test ends.
func serveTCP(t *testing.T, cfg Config) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, NewHandler(cfg), slog.New(slog.DiscardHandler)) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil // for the second call
	}
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), stop
}

// nextView reads events up to the next view.
func nextView(t *testing.T, lines *bufio.Scanner) (v station.View) {
	t.Helper()
	event := ""
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && event == "view" {
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatal("the stream ended:", lines.Err())
	return v
}

func TestEventsOverTheWire(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	f, cfg := newFake(t)
	f.views = make(chan station.View)
	url, stop := serveTCP(t, cfg)
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get(url + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("type %s", got)
	}
	lines := bufio.NewScanner(resp.Body)
	if diff := cmp.Diff(f.view, nextView(t, lines)); diff != "" {
		t.Errorf("first view (-want +got):\n%s", diff)
	}
	next := f.view
	next.Held = "another"
	f.views <- next
	if diff := cmp.Diff(next, nextView(t, lines)); diff != "" {
		t.Errorf("second view (-want +got):\n%s", diff)
	}
	// A stream that is being watched must not keep the daemon from stopping.
	stop()
	for lines.Scan() {
		t.Log(lines.Text())
	}
	client.CloseIdleConnections()
}

func TestEventsBeat(t *testing.T) {
	_, cfg := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx)
		r.Host = "localhost"
		done := make(chan struct{})
		go func() {
			defer close(done)
			NewHandler(cfg).ServeHTTP(w, r)
		}()
		time.Sleep(2*heartbeat + time.Second)
		synctest.Wait()
		cancel()
		<-done
		body := w.Body.String()
		if got := strings.Count(body, "event: view\n"); got != 1 {
			t.Errorf("%d views, want 1", got)
		}
		if got := strings.Count(body, "event: beat\n"); got != 2 {
			t.Errorf("%d beats in %v, want 2", got, 2*heartbeat+time.Second)
		}
	})
}

func TestEventsHead(t *testing.T) {
	_, cfg := newFake(t)
	if w := ask(cfg, http.MethodHead, "/api/v1/events"); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}
