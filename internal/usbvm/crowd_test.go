//go:build usbvm

package usbvm_test

import (
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/station"
)

// A rack that is switched on: all units appear at once.
func TestCrowd(t *testing.T) {
	const units = 32
	f := newFixture(t, units, func(c *station.Config) { c.Flasher.Baud = 0; c.Retries = 2 })
	boards := make([]*usbip.Board, units)
	for i := range boards {
		boards[i] = newUnit(t, 400+i, []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102}[i%2])
	}
	start := time.Now()
	for i, b := range boards {
		f.plug(b, i)
	}
	t.Logf("plugged in %v", time.Since(start).Round(time.Millisecond))
	for i, b := range boards {
		f.expect(f.result(i), "pass")
		f.provisioned(b, unitOf(400+i))
	}
	t.Logf("%d units in %v", units, time.Since(start).Round(time.Millisecond))
	for _, b := range boards {
		b.Unplug()
	}
	for i := range boards {
		f.await(i, "empty", func(s station.SlotView) bool { return s.State == station.Empty })
	}
}
