package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// askFrom sends a request as from another address.
func askFrom(h http.Handler, remote, path string) int {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = "localhost:9470", remote
	h.ServeHTTP(w, r)
	return w.Code
}

func TestClientOf(t *testing.T) {
	for remote, want := range map[string]string{
		"10.1.2.3:4000":           "10.1.2.3/32",
		"[::ffff:10.1.2.3]:4000":  "10.1.2.3/32",
		"[2001:db8:1:2:3::4]:443": "2001:db8:1:2::/64",
		"[2001:db8:1:2::5]:80":    "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":       "fe80::/64",
		"@":                       "invalid Prefix",
		"":                        "invalid Prefix",
	} {
		if got := clientOf(remote).String(); got != want {
			t.Errorf("%q counts as %s, want %s", remote, got, want)
		}
	}
}

func TestReadsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := newFake(t)
		h := NewHandler(cfg)
		codes := map[int]int{}
		for range readsAtOnce + 10 {
			codes[askFrom(h, "10.0.0.1:1", "/api/v1/slots")]++
		}
		if codes[http.StatusOK] != readsAtOnce || codes[http.StatusTooManyRequests] != 10 {
			t.Errorf("answers %v", codes)
		}
		for _, path := range []string{"/", "/healthz", "/metrics"} {
			if code := askFrom(h, "10.0.0.1:1", path); code != http.StatusOK {
				t.Errorf("%s: %d", path, code)
			}
		}
		scrapes := map[int]int{}
		for range 2 * scrapesAtOnce {
			scrapes[askFrom(h, "10.0.0.3:1", "/metrics")]++
		}
		if scrapes[http.StatusOK] != scrapesAtOnce || scrapes[http.StatusTooManyRequests] != scrapesAtOnce {
			t.Errorf("metrics: %v", scrapes)
		}
		if code := askFrom(h, "10.0.0.2:1", "/api/v1/slots"); code != http.StatusOK {
			t.Errorf("another client: %d", code)
		}
		time.Sleep(time.Second)
		if code := askFrom(h, "10.0.0.1:2", "/api/v1/slots"); code != http.StatusOK {
			t.Errorf("a second later: %d", code)
		}
	})
}

// Tokens are not found out by trying, and who tries does not lock others out.
func TestWrongTokensArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := newFake(t)
		cfg.Token = rightToken
		h := NewHandler(cfg)
		codes := map[int]int{}
		for range 2 * wrongAtOnce {
			codes[changeFrom(h, "10.0.0.1:1", asked, authorization("Bearer wrong")).Code]++
		}
		if codes[http.StatusUnauthorized] != wrongAtOnce || codes[http.StatusTooManyRequests] != wrongAtOnce {
			t.Errorf("answers %v", codes)
		}
		right := func(remote string) int {
			return changeFrom(h, remote, asked, authorization("Bearer "+rightToken)).Code
		}
		if code := right("10.0.0.1:2"); code != http.StatusTooManyRequests {
			t.Errorf("right after too many wrong ones: %d", code)
		}
		if code := right("10.0.0.2:1"); code != http.StatusCreated {
			t.Errorf("another client: %d", code)
		}
		time.Sleep(2 * time.Second / wrongPerSecond)
		if code := right("10.0.0.1:3"); code != http.StatusCreated {
			t.Errorf("later: %d", code)
		}
	})
}

func TestChangesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := newFake(t)
		cfg.Token = rightToken
		h := NewHandler(cfg)
		codes := map[int]int{}
		for range changesAtOnce + 5 {
			codes[changeFrom(h, "10.0.0.1:1", asked, authorization("Bearer "+rightToken)).Code]++
		}
		if codes[http.StatusCreated] != changesAtOnce || codes[http.StatusTooManyRequests] != 5 {
			t.Errorf("answers %v", codes)
		}
		if w := changeFrom(h, "10.0.0.2:1", asked, authorization("Bearer "+rightToken)); w.Code != http.StatusCreated {
			t.Errorf("another client: %d %s", w.Code, w.Body)
		}
	})
}

// Whoever comes from very many addresses costs no more memory than a thousand,
// and those that have used up what they may are the last to be forgotten.
func TestPaceForgets(t *testing.T) {
	p := newPace(1e-6, 2)
	from := func(n int) *http.Request {
		return &http.Request{RemoteAddr: fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255)}
	}
	for range 2 {
		p.of(from(1)).Allow()
	}
	for n := range 2 * maxClients {
		p.of(from(100 + n)).Allow()
	}
	if len(p.clients) != maxClients {
		t.Errorf("%d clients are remembered, want %d", len(p.clients), maxClients)
	}
	if p.of(from(1)).Allow() {
		t.Error("the one that had used up all may do more")
	}
}

// One client does not take the places of all for event streams.
func TestEventsAreLimited(t *testing.T) {
	_, cfg := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		h := NewHandler(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		watch := func(remote string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx)
			r.Host, r.RemoteAddr = "localhost", remote
			h.ServeHTTP(w, r)
			return w
		}
		for range watchersEach {
			go watch("10.0.0.1:1")
		}
		synctest.Wait()
		if w := watch("10.0.0.1:2"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: %d", w.Code)
		}
		for i := range maxWatchers - watchersEach {
			go watch(fmt.Sprintf("10.0.1.%d:1", i))
		}
		synctest.Wait()
		if w := watch("10.0.0.3:1"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("one too many of all: %d", w.Code)
		}
		cancel()
		synctest.Wait()
		// The places are free again.
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if w := watch("10.0.0.1:3"); w.Code != http.StatusOK {
			t.Errorf("after the others left: %d", w.Code)
		}
	})
}

// stuckWriter is a client that takes nothing more until it is let go.
type stuckWriter struct {
	*httptest.ResponseRecorder
	stuck <-chan struct{}
}

func (w stuckWriter) Write(p []byte) (int, error) {
	<-w.stuck
	return w.ResponseRecorder.Write(p)
}

// Lists may be the whole record, and clients may read them slowly.
func TestListsAreLimited(t *testing.T) {
	_, cfg := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		h, stuck := NewHandler(cfg), make(chan struct{})
		for i := range readersEach {
			go func() {
				w := stuckWriter{httptest.NewRecorder(), stuck}
				r := httptest.NewRequest(http.MethodGet, []string{"/api/v1/attempts.csv", "/api/v1/units"}[i%2], nil)
				r.Host, r.RemoteAddr = "localhost", "10.0.0.1:1"
				h.ServeHTTP(w, r)
			}()
		}
		synctest.Wait()
		if code := askFrom(h, "10.0.0.1:2", "/api/v1/units.csv"); code != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", code)
		}
		for _, path := range []string{"/api/v1/status", "/api/v1/history", "/api/v1/units/" + passedUnit} {
			if code := askFrom(h, "10.0.0.1:2", path); code != http.StatusOK {
				t.Errorf("%s meanwhile: %d", path, code)
			}
		}
		if code := askFrom(h, "10.0.0.2:1", "/api/v1/units.csv"); code != http.StatusOK {
			t.Errorf("another client: %d", code)
		}
		close(stuck)
		synctest.Wait()
		if code := askFrom(h, "10.0.0.1:2", "/api/v1/units.csv"); code != http.StatusOK {
			t.Errorf("after the others ended: %d", code)
		}
	})
}

// A client that opens very many connections and says nothing keeps out itself only.
func TestConnectionsAreLimited(t *testing.T) {
	_, cfg := newFake(t)
	url, _ := serveTCP(t, cfg)
	address := strings.TrimPrefix(url, "http://")
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	// get returns the first bytes of an answer, "" if the connection is closed.
	get := func(c net.Conn) string {
		_, _ = fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", address) // a closed one shows when it is read
		answer := make([]byte, len("HTTP/1.1 200"))
		n, _ := c.Read(answer)
		return string(answer[:n])
	}
	var conns []net.Conn
	for range connsEach {
		conns = append(conns, dial("127.0.0.1"))
	}
	if got := get(conns[connsEach-1]); got != "HTTP/1.1 200" { // so all before it were counted
		t.Fatalf("the last one that there is a place for: %q", got)
	}
	if got := get(dial("127.0.0.1")); got != "" {
		t.Errorf("one too many: %q", got)
	}
	if got := get(dial("127.0.0.2")); got != "HTTP/1.1 200" {
		t.Errorf("another client: %q", got)
	}
	for _, c := range conns {
		c.Close()
	}
	for get(dial("127.0.0.1")) == "" {
		if t.Context().Err() != nil {
			t.Fatal("the places are not free again")
		}
	}
}
