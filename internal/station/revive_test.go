package station_test

import (
	"context"
	"errors"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// A port that gives no sync is reset once before the slot reports an error.
func TestSilentPortIsReset(t *testing.T) {
	deaf := espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}
	for _, tc := range []struct {
		name    string
		reset   error // what comes of the reset
		helps   bool
		outcome jobs.Outcome
		phase   string
	}{
		{name: "helps", helps: true, outcome: jobs.Pass},
		{name: "does not help", outcome: jobs.Error, phase: "connect"},
		{name: "fails", reset: errors.New("no permission"), outcome: jobs.Error, phase: "connect"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b *bench
			var resets []string
			reset := func(_ context.Context, d hotplug.Device) error {
				resets = append(resets, d.Path)
				if tc.helps {
					b.exchange(d.Path, newUnit(1))
				}
				return tc.reset
			}
			onBench(t, func(cfg *station.Config) { cfg.ResetPort = reset }, func(bench *bench) {
				b = bench
				b.insert(left, newUnit(1, deaf))
				a := b.result(left)
				kind := ""
				if tc.phase != "" {
					kind = "no_sync"
				}
				b.expect(a, tc.outcome, tc.phase, kind)
				if len(resets) != 1 || resets[0] != left {
					t.Errorf("resets of %q, want one of %s", resets, left)
				}
			})
		})
	}
}

// exchange puts another unit at a path without a word of the USB.
func (b *bench) exchange(path string, unit *espsim.Chip) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Cleanup(unit.Close)
	b.units[path] = unit
}
