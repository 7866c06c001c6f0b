//go:build usbvm

package usbvm_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// A unit whose cable is pulled ends as the rig's error, in the phase in which
// it was pulled, and passes once it is put in again.
func TestUnpluggedInEachPhase(t *testing.T) {
	t.Parallel()
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102} {
		t.Run(adapter.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, 1, nil)
			for k, phase := range []string{"connect", "attach", "write", "personalize", "reboot", "check"} {
				n := 100 + 10*i + k
				unit := newUnit(t, n, adapter)
				f.plug(unit, 0)
				attempt := f.awaitPhase(0, phase).Attempt
				unit.Unplug()
				pulled := time.Now()
				f.await(0, "empty", func(s station.SlotView) bool { return s.State == station.Empty })
				a := f.attempt(attempt)
				t.Logf("pulled in %s: over after %v", phase, a.End.Sub(pulled).Round(time.Millisecond))
				f.expectDetached(a, phase)

				f.plug(unit, 0)
				f.expect(f.result(0), "pass")
				f.provisioned(unit, unitOf(n))
				unit.Unplug()
				f.await(0, "empty", func(s station.SlotView) bool { return s.State == station.Empty })
			}
		})
	}
}

// expectDetached allows for the phase to have changed while the cable was
// being pulled.
func (f *fixture) expectDetached(a jobs.Attempt, phase string) {
	f.Helper()
	fail := a.Failure
	if a.Outcome != jobs.Error || fail == nil || fail.Kind != "detached" {
		f.Errorf("unplugged in %s: attempt ended as %q, want error and detached: %+v", phase, a.Outcome, fail)
		return
	}
	names := station.Phases()
	if slices.Index(names, fail.Phase) >= slices.Index(names, phase) {
		return
	}
	f.Errorf("unplugged in %s: the record says %s", phase, fail.Phase)
}

// Two boards that change places while they are being flashed: neither gets
// what is the other's.
func TestSwapWhileFlashing(t *testing.T) {
	t.Parallel()
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102} {
		for k, phase := range []string{"write", "personalize"} {
			t.Run(fmt.Sprintf("%v in %s", adapter, phase), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, 2, nil)
				first, second := 200+10*i+2*k, 201+10*i+2*k
				a, b := newUnit(t, first, adapter), newUnit(t, second, adapter)
				f.plug(a, 0)
				f.plug(b, 1)
				f.awaitPhase(0, phase)
				a.Unplug()
				b.Unplug()
				f.plug(b, 0)
				f.plug(a, 1)
				f.awaitDone(0, unitOf(second)) // which may have passed before
				f.awaitPass(1, unitOf(first))
				f.provisioned(a, unitOf(first))
				f.provisioned(b, unitOf(second))
				for unit, other := range map[*usbip.Board]int{a: second, b: first} {
					if bytes.Contains(unit.Chip().Flash().Bytes(), []byte(f.password(unitOf(other)))) {
						t.Errorf("the password of %s is in another unit's flash", unitOf(other))
					}
				}
			})
		}
	}
}

// awaitPass waits until a slot has passed that unit.
func (f *fixture) awaitPass(i int, unit string) {
	f.Helper()
	f.await(i, "pass of "+unit, func(s station.SlotView) bool { return s.State == station.Passed && s.Unit == unit })
}

// awaitDone waits until a slot has passed that unit, or has seen that it passed
// before.
func (f *fixture) awaitDone(i int, unit string) {
	f.Helper()
	f.await(i, "end of "+unit, func(s station.SlotView) bool {
		return s.Unit == unit && (s.State == station.Passed || s.State == station.Refused && f.attempt(s.Attempt).Failure.Kind == "already_done")
	})
}

// A unit that was pulled out half done goes on in another slot.
func TestReplugInAnotherSlot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2, nil)
	unit := newUnit(t, 300, usbip.USBSerialJTAG)
	f.plug(unit, 0)
	attempt := f.awaitPhase(0, "write").Attempt
	unit.Unplug()
	f.plug(unit, 1)
	f.awaitPass(1, unitOf(300))
	f.provisioned(unit, unitOf(300))
	f.expectDetached(f.attempt(attempt), "write")

	// And once it has passed no slot writes it again.
	before := bytes.Clone(unit.Chip().Flash().Bytes())
	unit.Unplug()
	f.plug(unit, 0)
	f.await(0, "refused", func(s station.SlotView) bool { return s.State == station.Refused })
	if !bytes.Equal(before, unit.Chip().Flash().Bytes()) {
		t.Error("the flash was touched")
	}
}
