package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/internal/credentials"
)

// inMemory takes requests to a handler without a network, so that time can be fake.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w.Result(), nil
}

// fetchInMemory fetches from a server that first gives the answers in line.
func fetchInMemory(ctx context.Context, t *testing.T, line ...http.HandlerFunc) (retries []error, took time.Duration, err error) {
	s := newServer(t, credentials.ServerConfig{
		BaseURL: "https://config.example.com/api",
		OnRetry: func(err error) { noSecret(t, err); retries = append(retries, err) },
	})
	credentials.SetTransport(s, inMemory{&configServer{line: line}})
	start := time.Now()
	c, err := s.Fetch(ctx, unitA)
	if err == nil && c != wantA {
		t.Error("other credentials than those of unit A")
	}
	return retries, time.Since(start), err
}

func TestServerIsWaitedFor(t *testing.T) {
	for _, code := range []int{408, 425, 429, 500, 502, 503, 504, 599} {
		synctest.Test(t, func(t *testing.T) {
			retries, took, err := fetchInMemory(t.Context(), t, status(code), status(code), status(code))
			if err != nil {
				t.Fatal(err)
			}
			// Pauses of 0.5, 1 and 2 s, each up to a half shorter or longer.
			if len(retries) != 3 || took < 1750*time.Millisecond || took > 5250*time.Millisecond {
				t.Errorf("%d: %d retries in %s, want 3 in 1.75 to 5.25 s", code, len(retries), took)
			}
			for _, err := range retries {
				if !errors.Is(err, credentials.ErrUnavailable) {
					t.Errorf("%d: told %v, want ErrUnavailable", code, err)
				}
			}
		})
	}
}

func TestServerIsWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := make([]http.HandlerFunc, 1000)
		for i := range line {
			line[i] = status(503)
		}
		_, took, err := fetchInMemory(t.Context(), t, line...)
		if err != nil {
			t.Fatal(err)
		}
		if took < 6*time.Hour || took > 11*time.Hour {
			t.Errorf("1000 retries took %s, want about 30 s each", took)
		}
	})
}

func TestServerRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7":                             7 * time.Second,
		"86400":                         5 * time.Minute,
		"Sat, 01 Jan 2000 00:00:20 GMT": 20 * time.Second, // synctest's clock begins at midnight
	} {
		synctest.Test(t, func(t *testing.T) {
			retries, took, err := fetchInMemory(t.Context(), t, status(429, "Retry-After", header))
			if err != nil || took != want || len(retries) != 1 {
				t.Errorf("Retry-After %s: waited %s, %d retries, %v; want %s", header, took, len(retries), err, want)
			}
		})
	}
	for _, header := range []string{"0", "-1", "soon", "Fri, 31 Dec 1999 23:59:00 GMT"} {
		synctest.Test(t, func(t *testing.T) {
			_, took, err := fetchInMemory(t.Context(), t, status(503, "Retry-After", header))
			if err != nil || took < 250*time.Millisecond || took > 750*time.Millisecond {
				t.Errorf("Retry-After %s: waited %s, %v; want the usual pause", header, took, err)
			}
		})
	}
}

func TestServerWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		down := make([]http.HandlerFunc, 100)
		for i := range down {
			down[i] = status(500)
		}
		_, took, err := fetchInMemory(ctx, t, down...)
		wantError(t, err, "unit "+unitA, "500 Internal Server Error")
		if took != time.Minute || !errors.Is(err, credentials.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v; want ErrUnavailable and the deadline after a minute", took, err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := fetchInMemory(ctx, t)
	if !errors.Is(err, context.Canceled) || errors.Is(err, credentials.ErrUnavailable) {
		t.Errorf("cancelled at once: %v, want context.Canceled alone", err)
	}
}

// A server that hangs, hangs up in the midst of its answer, or is not there.
func TestNetworkFailures(t *testing.T) {
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	breaksOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"mqtt_password":"s3cret-one"`)
		panic(http.ErrAbortHandler)
	}
	for name, answer := range map[string]http.HandlerFunc{"hangs": hangs, "breaks off": breaksOff} {
		t.Run(name, func(t *testing.T) {
			_, srv := serve(t, answer)
			var told []error
			s := newServer(t, credentials.ServerConfig{
				BaseURL: srv.URL + "/api", Timeout: 300 * time.Millisecond,
				OnRetry: func(err error) { told = append(told, err) },
			})
			if c := must(s.Fetch(t.Context(), unitA))(t); c != wantA {
				t.Error("other credentials than those of unit A")
			}
			if len(told) != 1 || !errors.Is(told[0], credentials.ErrUnavailable) {
				t.Errorf("told %v, want ErrUnavailable once", told)
			}
			noSecret(t, told[0])
		})
	}
	_, srv := serve(t)
	srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api", OnRetry: func(error) { cancel() }})
	_, err := s.Fetch(ctx, unitA)
	wantError(t, err, "refused")
	if !errors.Is(err, credentials.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want ErrUnavailable and context.Canceled", err)
	}
}
