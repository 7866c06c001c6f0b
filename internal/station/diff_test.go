package station_test

import (
	"bytes"
	"slices"
	"testing"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// older is r with other bytes in the middle of its last segment.
func older(r *firmware.Release) *firmware.Release {
	old := *r
	old.Segments = slices.Clone(r.Segments)
	app := &old.Segments[len(old.Segments)-1]
	app.Data = bytes.Clone(app.Data)
	copy(app.Data[500_000:], "as it was before")
	return &old
}

// A unit that holds the release before gets what has changed, and one that
// does not gets everything.
func TestDifferenceToAnOlderRelease(t *testing.T) {
	for _, holds := range []bool{true, false} {
		var before *firmware.Release
		set := func(c *station.Config) {
			before = older(c.Release)
			c.Previous = before
		}
		onBench(t, set, func(b *bench) {
			unit := newUnit(1)
			if holds {
				for _, s := range before.Segments {
					if err := unit.Flash().Program(int(s.Offset), s.Data); err != nil {
						t.Fatal(err)
					}
				}
			}
			b.insert(left, unit)
			a := b.result(left)
			b.expect(a, jobs.Pass, "", "")
			b.provisioned(unit, unitOf(1))
			if sent := unit.Stats().In; (sent < 100_000) != holds {
				t.Errorf("%d bytes were sent to a unit that holds the older release: %v", sent, holds)
			}
			if less := a.Written < 100_000; less != holds || a.Written == 0 {
				t.Errorf("%d bytes are recorded as written to a unit that holds the older release: %v", a.Written, holds)
			}
			if want := len(before.Segments) + 1; len(a.Verified) != want { // and NVS
				t.Errorf("%d regions are verified, want %d: %+v", len(a.Verified), want, a.Verified)
			}
		})
	}
}
