//go:build usbvm

package usbvm_test

import (
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
)

func TestUnitGoesThroughTheLine(t *testing.T) {
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102, usbip.CH340} {
		t.Run(adapter.String(), func(t *testing.T) {
			f := newFixture(t, 1, nil)
			unit := newUnit(t, i, adapter)
			plug(t, unit, portOf(0))
			a := f.result(0)
			f.expect(a, "pass")
			f.provisioned(unit, unitOf(i))
			for _, p := range a.Phases {
				t.Logf("%-12s %6.0f ms", p.Name, p.Seconds*1000)
			}
			if !unit.Chip().BootedApp() {
				t.Error("the unit does not run its application")
			}
		})
	}
}
