package credentials_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hoptech.co.nz/flashd/internal/credentials"
)

const (
	unitA = "A1B2C3D4E5F6"
	unitB = "24DCC3000001"

	salt  = "0123456789abcdef0123456789abcdef"
	token = "tok-live-4711"
	// passwordA is SHA-256("A1B2C3D4E5F6" + salt), as Python's hashlib computes it.
	passwordA = "10b2757146584c3f228737a2e7d6fd6476a04e913dec423eecb5bb66f32326d2"
)

// secrets are all texts that must not be seen anywhere.
var secrets = []string{salt, token, passwordA, "s3cret-one", "s3cret-two"}

// noSecret reports a text, an error's above all, that shows a secret.
func noSecret(t testing.TB, text any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown := fmt.Sprintf(verb, text)
		for _, secret := range secrets {
			if strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T shows %q: %s", verb, text, secret, shown)
			}
		}
	}
}

// wantError checks that err is of kind, if that is not nil, holds all words, and no secret.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	noSecret(t, err)
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q, want %q in it", err, word)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func writeFile(t testing.TB, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// configServer speaks the config server's API. Before it answers as it should it
// gives the answers in line, one a request.
type configServer struct {
	mu       sync.Mutex
	line     []http.HandlerFunc
	requests int
}

func (s *configServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	answer := s.provision
	if len(s.line) > 0 {
		answer, s.line = s.line[0], s.line[1:]
	}
	s.mu.Unlock()
	answer(w, r)
}

func (s *configServer) provision(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutPrefix(r.URL.Path, "/api/provision/")
	switch {
	case r.Method != http.MethodPost || !ok:
		http.Error(w, "not here: "+r.Header.Get("Authorization"), http.StatusNotFound)
	case r.Header.Get("Authorization") != "Bearer "+token:
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case id != unitA:
		http.Error(w, "no such unit", http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, answerA)
	}
}

const answerA = `{"device_id":"A1B2C3D4E5F6","mqtt_user":"A1B2C3D4E5F6","mqtt_password":"` + passwordA +
	`","mqtt_host":"mqtt.example.com","mqtt_port":8883,"provision_date":"2026-03-02T08:00:00Z"}`

var wantA = credentials.Credentials{DeviceID: unitA, MQTTUser: unitA, MQTTPassword: passwordA, MQTTHost: "mqtt.example.com", MQTTPort: 8883}

// status answers with an error page that repeats the request's token.
func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, "you sent "+r.Header.Get("Authorization"), code)
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func logged(v any) string {
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("fetched", "value", v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("fetched", "value", v)
	return out.String()
}
