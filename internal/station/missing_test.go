package station_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// A port that is not there while nobody tells that its board has gone may come back
// after a reset, but not for ever; nothing else is blamed for it.
func TestMissingPort(t *testing.T) {
	for _, tc := range []struct {
		name   string
		missed time.Duration
		err    error
		kind   string // "": it passes
		hint   string
	}{
		{"comes back", 3 * time.Second, fs.ErrNotExist, "", ""},
		{"stays away", time.Hour, fs.ErrNotExist, "port", "flashd ports"},
		{"forbidden", time.Hour, fs.ErrPermission, "port", "flashd doctor"},
		{"nobody listens", time.Hour, unix.ECONNREFUSED, "port", "Nothing listens there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b *bench
			var until time.Time
			open := func(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
				if time.Now().Before(until) {
					return nil, fmt.Errorf("open %s: %w", d.TTY, tc.err)
				}
				return b.openPort(ctx, d)
			}
			onBench(t, func(cfg *station.Config) { cfg.Open = open }, func(bench *bench) {
				b = bench
				began := time.Now()
				until = began.Add(tc.missed)
				b.insert(left, newUnit(1))
				a := b.result(left)
				if tc.kind == "" {
					b.expect(a, jobs.Pass, "", "")
					return
				}
				b.expect(a, jobs.Error, "connect", tc.kind)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("that took %v", took)
				}
				if a.Failure == nil || !strings.Contains(a.Failure.Hint, tc.hint) {
					t.Errorf("the operator is told %+v, want something with %q", a.Failure, tc.hint)
				}
			})
		})
	}
}
