package credentials_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"hoptech.co.nz/flashd/internal/credentials"
)

func TestProbe(t *testing.T) {
	for _, tt := range []struct {
		status int
		there  bool
	}{{200, true}, {401, true}, {404, true}, {405, true}, {500, false}, {503, false}} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead || r.Header.Get("Authorization") != "" {
				t.Errorf("%s with authorization %q", r.Method, r.Header.Get("Authorization"))
			}
			w.WriteHeader(tt.status)
		}))
		source := must(credentials.NewServer(credentials.ServerConfig{BaseURL: srv.URL, Token: token}))(t)
		date, err := source.(credentials.Prober).Probe(t.Context())
		switch {
		case tt.there && err != nil:
			t.Errorf("%d: %v", tt.status, err)
		case tt.there && time.Since(date).Abs() > time.Minute:
			t.Errorf("%d: the server's time is %v", tt.status, date)
		case !tt.there && !errors.Is(err, credentials.ErrUnavailable):
			t.Errorf("%d: got %v, want ErrUnavailable", tt.status, err)
		}
		srv.Close()
		if _, err := source.(credentials.Prober).Probe(t.Context()); !errors.Is(err, credentials.ErrUnavailable) {
			t.Errorf("a closed server: got %v, want ErrUnavailable", err)
		}
	}
}
