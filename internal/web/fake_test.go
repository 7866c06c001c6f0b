package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// fakeStation shows a fixed view until the test sends others.
type fakeStation struct {
	view  station.View
	views chan station.View // what Watch sends after view; nil: nothing
	ready error
	store *jobs.Store
}

func (f *fakeStation) View() station.View { return f.view }
func (f *fakeStation) Ready() error       { return f.ready }

func (f *fakeStation) Watch(ctx context.Context) <-chan station.View {
	out := make(chan station.View)
	go func() {
		defer close(out)
		v := f.view
		for {
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
			select {
			case v = <-f.views:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (f *fakeStation) AllowRework(_ context.Context, r jobs.Rework) (jobs.Rework, error) {
	return f.store.AllowRework(r)
}

func (f *fakeStation) CancelRework(_ context.Context, id uint64, by, reason string) (jobs.Rework, error) {
	return f.store.CancelRework(id, by, reason)
}

const (
	passedUnit = "A1B2C3D4E5F6"
	failedUnit = "A1B2C3D4E5F7"
	freshUnit  = "A1B2C3D4E5F8"
)

// newFake returns a station with two slots, and a store in which one unit has
// passed, one has failed, and an attempt without a unit has met an error.
func newFake(t *testing.T) (*fakeStation, Config) {
	t.Helper()
	f, cfg := newEmptyFake(t)
	store := f.store
	record(t, store, jobs.Attempt{Slot: "1", Path: "1-1.1", Release: "demo"}, passedUnit, jobs.Result{
		Outcome: jobs.Pass, BootChecked: true, Credential: "server", Written: 4096,
		Verified: []jobs.Region{{Name: "nvs", Offset: 0x9000, Size: 0x5000}},
	})
	record(t, store, jobs.Attempt{Slot: "2", Path: "1-1.2", Release: "demo"}, failedUnit, jobs.Result{
		Outcome: jobs.Fail,
		Failure: &jobs.Failure{Phase: "verify", Kind: "mismatch", Blame: jobs.BlameUnit, Text: "The flash does not hold what was written.", Hint: "Put the board aside."},
	})
	record(t, store, jobs.Attempt{Slot: "2", Path: "1-1.2", Release: "old"}, "", jobs.Result{
		Outcome: jobs.Error,
		Failure: &jobs.Failure{Phase: "connect", Kind: "no_sync", Blame: jobs.BlameRig, Text: "No answer from the chip."},
	})
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	f.view = station.View{
		Station: "jig-3", Release: "demo", Version: "v1.0.0", Started: start, Now: start.Add(time.Hour), Held: "The config server does not answer.",
		Slots: []station.SlotView{
			{Name: "1", Path: "1-1.1", State: station.Passed, Since: start, Unit: passedUnit, Chip: "ESP32-S3", Attempt: 1, Message: "Done.", Advice: "Take the board out.", LastUnit: failedUnit, LastWord: station.Failed},
			{Name: "2", Path: "1-1.2", State: station.Working, Since: start, Phase: "write", Progress: 0.5},
		},
		Totals: station.Totals{Units: 2, Passed: 1, Failed: 1, Errors: 1, FirstPassYield: 0.5, UnitsPerHour: 2, CycleMedian: 12, CycleP95: 12},
	}
	return f, cfg
}

// newEmptyFake returns a station without slots, and a store without attempts.
func newEmptyFake(t *testing.T) (*fakeStation, Config) {
	t.Helper()
	store, err := jobs.Open(filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fakeStation{store: store}
	return f, Config{Source: f, Store: store, Metrics: prometheus.NewRegistry(), Listen: "127.0.0.1:9470", Log: slog.New(slog.DiscardHandler)}
}

func record(t *testing.T, store *jobs.Store, a jobs.Attempt, unit string, r jobs.Result) {
	t.Helper()
	a, err := store.Begin(a)
	if err != nil {
		t.Fatal(err)
	}
	if unit != "" {
		if _, err := store.Identify(a.ID, unit, "esp32s3"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Finish(a.ID, r); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request to the handler for TCP, as a browser on the station would.
func ask(cfg Config, method, path string) *httptest.ResponseRecorder {
	return askHandler(NewHandler(cfg), method, path)
}

func askHandler(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	r.Host = "localhost:9470"
	h.ServeHTTP(w, r)
	return w
}
