package web

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

// serveUnix runs h on the socket in dir until the test ends, and returns a client.
func serveUnix(t *testing.T, dir string, h http.Handler) *Client {
	t.Helper()
	l, err := ListenUnix(dir)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, h)
	c, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serveOn runs h on l until the test ends.
func serveOn(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestClientReads(t *testing.T) {
	f, cfg := newFake(t)
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	view, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.view, view); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	u, err := c.Unit(t.Context(), passedUnit)
	if err != nil || u.ID != passedUnit || !u.Passed {
		t.Errorf("unit: %+v, %v", u, err)
	}
	var ids []string
	for u, err := range c.Units(t.Context(), UnitFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, u.ID)
	}
	if want := []string{passedUnit, failedUnit}; !slices.Equal(ids, want) {
		t.Errorf("units %v, want %v", ids, want)
	}
	var attempts []jobs.Attempt
	for a, err := range c.Attempts(t.Context(), jobs.Filter{Slot: "2", Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		attempts = append(attempts, a)
	}
	want, err := f.store.Attempt(3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]jobs.Attempt{want}, attempts); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func TestClientNoUnit(t *testing.T) {
	_, cfg := newFake(t)
	c := serveUnix(t, t.TempDir(), NewControl(cfg))
	_, err := c.Unit(t.Context(), freshUnit)
	e, ok := errors.AsType[*Error](err)
	if !errors.Is(err, jobs.ErrNoUnit) || !ok || e.Hint == "" {
		t.Errorf("%v", err)
	}
}

// A list that was cut off must not be taken for a whole one.
func TestClientSeesListCutOff(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("[\n{}"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"ended early": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[\n{}")) },
		"nonsense":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[\n{}, nonsense]")) },
		"refused":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			c := serveUnix(t, t.TempDir(), h)
			var last error
			for _, err := range c.Units(t.Context(), UnitFilter{}) {
				last = err
			}
			if last == nil {
				t.Error("no error")
			}
		})
	}
}

func TestDialFindsNobody(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dial(filepath.Join(dir, "none")); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Dial(dir); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("no socket: %v", err)
	}
	leaveStale(t, dir)
	if _, err := Dial(dir); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("a socket left behind: %v", err)
	}
}

// leaveStale leaves a socket as a killed daemon does.
func leaveStale(t *testing.T, dir string) {
	t.Helper()
	l, err := ListenUnix(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.(*socketListener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, SocketName)); err != nil {
		t.Fatal(err)
	}
}

func TestListenUnix(t *testing.T) {
	// Longer than an address can be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	leaveStale(t, dir)

	before := syscall.Umask(0) // that of a careless service manager
	l, err := ListenUnix(dir)
	syscall.Umask(before)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := ListenUnix(dir); !errors.Is(err, ErrDaemonRuns) {
		t.Errorf("a second one: %v", err)
	}
	c, err := Dial(dir)
	if err != nil {
		t.Errorf("after the second one: %v", err)
	} else {
		c.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestListenUnixKeepsWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(dir); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("%v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ListenUnix(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
