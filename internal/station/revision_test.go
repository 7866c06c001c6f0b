package station_test

import (
	"bytes"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// A unit of a revision that the release does not run on must not be written:
// it would pass its verify and never start.
func TestWrongRevisionIsNotWritten(t *testing.T) {
	needsLater := func(c *station.Config) {
		later := *c.Release
		later.MinRevision = 1000
		c.Release = &later
	}
	onBench(t, needsLater, func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		a := b.result(left)
		b.expect(a, jobs.Error, "identify", "wrong_revision")
		if !strings.Contains(a.Failure.Text, "v10.0 or later") {
			t.Errorf("the record says %q", a.Failure.Text)
		}
		if blank := bytes.Repeat([]byte{0xFF}, unit.Flash().Size()); !bytes.Equal(unit.Flash().Bytes(), blank) {
			t.Error("its flash was written")
		}
	})
}
