package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

func TestClientBacksUp(t *testing.T) {
	f, cfg := newFake(t)
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	var data bytes.Buffer
	n, err := c.Backup(t.Context(), &data)
	if err != nil || n != int64(data.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, data.Len(), err)
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := os.WriteFile(path, data.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	backup, err := jobs.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	want, err := f.store.Attempt(3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := backup.Attempt(3)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("attempt 3, %v (-there +in the backup):\n%s", err, diff)
	}
}

// A backup that was cut off must not be taken for a whole one.
func TestClientSeesBackupCutOff(t *testing.T) {
	c := serveUnix(t, t.TempDir(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	if _, err := c.Backup(t.Context(), &bytes.Buffer{}); err == nil {
		t.Error("no error")
	}
}

func TestClientVerifies(t *testing.T) {
	_, cfg := newFake(t)
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	var steps []string
	if err := c.Verify(t.Context(), func(step string, done, total int) error {
		if done > total {
			t.Errorf("%s: %d of %d", step, done, total)
		}
		steps = append(steps, step)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{jobs.Pages, jobs.Attempts, jobs.Units}; !slices.Equal(slices.Compact(steps), want) {
		t.Errorf("told of %v, want %v", steps, want)
	}
	for says, body := range map[string]string{
		"page 7 is lost":     `{"step":"pages","done":1,"total":2}` + "\n" + `{"ended":true,"problem":"page 7 is lost"}`,
		"read flashd's answ": `{"step":"pages","done":1,"total":2}`,
		"invalid character":  "nonsense",
	} {
		c := serveUnix(t, t.TempDir(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		if err := c.Verify(t.Context(), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q in it", err, says)
		}
	}
}

func TestClientArchives(t *testing.T) {
	_, cfg := newFake(t)
	want := []jobs.Archive{{ID: 3, File: "attempts.jsonl.zst", Attempts: 2, Deleted: 2}}
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := errors.New("no space left on device")
	cfg.Archive = func(_ context.Context, got time.Time) ([]jobs.Archive, error) {
		if !got.Equal(before) {
			return nil, full
		}
		return want, nil
	}
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	got, err := c.Archive(t.Context(), before)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for says, bad := range map[string]time.Time{
		"no space left": before.Add(time.Second),
		"past":          time.Now().Add(time.Hour),
		"want a time":   {},
	} {
		if _, err := c.Archive(t.Context(), bad); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("before %v: %v, want %q in it", bad, err, says)
		}
	}
}

// The network gets neither the whole record at once nor a way to have it moved.
func TestKeepingIsOnTheSocketOnly(t *testing.T) {
	_, cfg := newFake(t)
	cfg.Token = "a token that would do for changes"
	s := newServer(cfg)
	if len(s.keeping()) == 0 {
		t.Fatal("nothing is put to the test")
	}
	for path := range s.keeping() {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, path, strings.NewReader(`{"before": "2026-01-02T03:04:05Z"}`))
			r.Host = "localhost:9470"
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+cfg.Token.Reveal())
			w := httptest.NewRecorder()
			NewHandler(cfg).ServeHTTP(w, r)
			if w.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
}
