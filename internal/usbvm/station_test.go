//go:build usbvm

package usbvm_test

import (
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/station"
)

func TestUnitGoesThroughTheLine(t *testing.T) {
	t.Parallel()
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102, usbip.CH340} {
		t.Run(adapter.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, 1, nil)
			unit := newUnit(t, i, adapter)
			f.plug(unit, 0)
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

// On the ROM's own USB console a unit is there only while BOOT is held. Its
// application starts with another USB device, so that nothing is heard of it.
func TestUnitOnUSBOTG(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 1, func(c *station.Config) { c.BootCheck.Enabled = false })
	unit := newUnit(t, 3, usbip.USBOTG)
	unit.Chip().HoldBoot(true)
	f.plug(unit, 0)
	f.awaitPhase(0, "write")
	unit.Chip().HoldBoot(false)
	f.expect(f.result(0), "pass")
	f.provisioned(unit, unitOf(3))
	for deadline := time.Now().Add(10 * time.Second); !unit.Chip().BootedApp(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the unit does not start what was written")
		}
	}
}

// A port that has lost its way is reset, and the unit passes in the same
// attempt.
func TestWedgedPortIsReset(t *testing.T) {
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102} {
		t.Run(adapter.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, 1, nil)
			unit := newUnit(t, 50+i, adapter)
			f.plug(unit, 0)
			unit.Wedge()
			a := f.result(0)
			f.expect(a, "pass")
			f.provisioned(unit, unitOf(50+i))
			if !strings.Contains(f.log.String(), "resetting its USB port") {
				t.Error("it passed without a reset")
			}
			t.Logf("connected after %.1f s", a.Phases[0].Seconds)
		})
	}
}

// A port hangs with all that is asked of it while its unit is being written:
// lines and rates as well as bytes. It is reset, too.
func TestHungPortIsReset(t *testing.T) {
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102, usbip.CH340} {
		t.Run(adapter.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, 1, func(c *station.Config) { c.Retries = 1 })
			unit := newUnit(t, 55+i, adapter)
			f.plug(unit, 0)
			f.awaitPhase(0, "write")
			unit.Hang()
			hung := time.Now()
			a := f.result(0)
			f.expect(a, "pass")
			f.provisioned(unit, unitOf(55+i))
			t.Logf("passed %v later", time.Since(hung).Round(time.Millisecond))
		})
	}
}

// A bridge that hangs when it is put in gets no tty. Its slot says so, until it
// is put in again and works.
func TestBoardWithoutATTY(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 1, nil)
	unit := newUnit(t, 65, usbip.CH340)
	f.plug(unit, 0)
	unit.Hang()
	s := f.await(0, "what cannot be used", func(s station.SlotView) bool { return s.State == station.Errored })
	if want := "What is in the slot cannot be used: no driver has made a tty for it."; s.Message != want || s.Attempt != 0 {
		t.Errorf("slot: %+v, want %q and no attempt", s, want)
	}
	unit.Unplug()
	f.await(0, "empty", func(s station.SlotView) bool { return s.State == station.Empty })
	f.plug(unit, 0)
	f.awaitPass(0, unitOf(65))
}
