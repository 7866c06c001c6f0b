package station_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/internal/station"
)

// A line that has no USB is not ready, and says so; what weighs more is said first.
func TestUnwatched(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	onBench(t, func(cfg *station.Config) { cfg.Registry = registry }, func(b *bench) {
		told := func(held string, ready bool) {
			t.Helper()
			synctest.Wait()
			if is := b.Ready() == nil; b.View().Held != held || is != ready {
				t.Errorf("held %q and ready %v, want %q and %v", b.View().Held, is, held, ready)
			}
			if stopped := gauge(t, registry, "flashd_line_stopped") == 1; stopped == ready {
				t.Errorf("metrics: stopped %v, ready %v", stopped, ready)
			}
		}
		told("", true)
		b.AwaitCredentials("Waiting for the config server.")
		told("Waiting for the config server.", true)
		b.Unwatched(errors.New("there is no USB"))
		told("No unit can be worked on. There is no USB. flashd doctor tells what is missing.", false)
		b.AwaitCredentials("Still waiting for the config server.")
		told("No unit can be worked on. There is no USB. flashd doctor tells what is missing.", false)
		b.Unwatched(nil)
		told("Still waiting for the config server.", true)
	})
}
