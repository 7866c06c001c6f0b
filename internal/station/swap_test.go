package station_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// kinds of unit, as the USB sees them.
var kinds = []struct {
	name   string
	wiring espsim.Wiring
	usb    func(n int) hotplug.Device
	stays  bool   // on the USB when the chip is reset
	word   string // on a unit that was changed for another
}{
	{"USB-Serial/JTAG", espsim.USBSerialJTAG, func(n int) hotplug.Device {
		return hotplug.Device{VID: 0x303A, PID: 0x1001, Serial: macOf(n).String()}
	}, false, "detached"},
	{"without a serial number", espsim.USBSerialJTAG, func(int) hotplug.Device {
		return hotplug.Device{VID: 0x303A, PID: 0x1001}
	}, false, "wrong_unit"}, // only the other unit's own word tells
	{"bridge", espsim.Bridge, func(int) hotplug.Device {
		return hotplug.Device{VID: 0x10C4, PID: 0xEA60, Serial: "0001"}
	}, true, "detached"},
}

func newUnitWired(n int, w espsim.Wiring, faults ...espsim.Fault) *espsim.Chip {
	return espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: macOf(n), Flash: espsim.NewFlash(8 << 20), Wiring: w, Timing: espsim.Realistic(w), Faults: faults})
}

// A unit that is changed for another while it starts was taken out; it does not
// fail for what the other one says.
func TestSwappedWhileItStarts(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				done := newUnitWired(2, k.wiring) // has its own credentials already
				b.insertAs(left, done, k.usb(2))
				b.expect(b.result(left), jobs.Pass, "", "")
				b.remove(left)

				b.insertAs(left, newUnitWired(1, k.wiring), k.usb(1))
				b.awaitPhase(left, "check")
				attempt := b.slot(left).Attempt
				b.remove(left)
				b.insertAs(left, done, k.usb(2))
				b.await(left, "refused", func(s station.SlotView) bool { return s.State == station.Refused })
				b.expect(b.attempt(attempt), jobs.Error, "check", k.word)
			})
		})
	}
}

// Nor does it fail for what another one does not say: that had started, and said
// everything, before anybody could listen. A bridge is another one for sure.
func TestSwappedForOneThatIsSilent(t *testing.T) {
	for _, other := range kinds[1:] {
		t.Run(other.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				b.insertAs(left, newUnitWired(1, espsim.USBSerialJTAG), kinds[0].usb(1))
				b.awaitPhase(left, "check")
				attempt := b.slot(left).Attempt
				b.remove(left)
				b.late = 3 * time.Second
				second := newUnitWired(2, other.wiring)
				b.insertAs(left, second, other.usb(2))
				if !other.stays {
					a := b.result(left)
					b.expect(a, jobs.Error, "check", "detached")
					if !strings.Contains(a.Failure.Hint, "boot_check") {
						t.Errorf("the operator is told %+v", a.Failure)
					}
					b.remove(left)
					b.insertAs(left, second, other.usb(2))
				}
				b.awaitPass(left, unitOf(2))
				b.expect(b.attempt(attempt), jobs.Error, "check", "detached")
			})
		})
	}
}

// A unit that was taken out for a moment while it started has said everything
// before anybody could listen; it is the same unit, and not a silent one.
func TestPutBackWhileItStarts(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		k := kinds[0]
		unit := newUnitWired(1, k.wiring)
		b.insertAs(left, unit, k.usb(1))
		b.awaitPhase(left, "check")
		b.remove(left)
		b.late = 3 * time.Second
		b.insertAs(left, unit, k.usb(1))
		b.expect(b.result(left), jobs.Pass, "", "")
	})
}

// A unit that is changed for another before it was known was taken out, and the
// other one gets an attempt of its own, where USB tells them apart.
func TestSwappedBeforeItWasKnown(t *testing.T) {
	deaf := espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				b.insertAs(left, newUnitWired(1, k.wiring, deaf), k.usb(1))
				b.awaitPhase(left, "connect")
				attempt := b.slot(left).Attempt
				b.remove(left)
				b.insertAs(left, newUnitWired(2, k.wiring), k.usb(2))
				b.awaitPass(left, unitOf(2))
				if k.word == "wrong_unit" { // nothing tells, and nothing was done to the first one
					return
				}
				b.expect(b.attempt(attempt), jobs.Error, "connect", "detached")
			})
		})
	}
}

// A unit that is changed for another between two tries was taken out, and the
// other one is begun at once.
func TestSwappedBetweenTries(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var b *bench
			opened := 0
			onBench(t, func(cfg *station.Config) {
				open := cfg.Open
				cfg.Open = func(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
					if opened++; opened == 2 {
						b.remove(left)
						b.insertAs(left, newUnitWired(2, k.wiring), k.usb(2))
						return nil, flasher.Detached
					}
					return open(ctx, d)
				}
			}, func(bench *bench) {
				b = bench
				b.insertAs(left, newUnitWired(1, k.wiring, espsim.Fault{Kind: espsim.DeadSector, Address: 0x20000}), k.usb(1))
				b.awaitPhase(left, "write")
				attempt := b.slot(left).Attempt
				b.awaitPass(left, unitOf(2))
				phase := map[string]string{"detached": "connect", "wrong_unit": "identify"}[k.word]
				b.expect(b.attempt(attempt), jobs.Error, phase, k.word)
			})
		})
	}
}

func (b *bench) awaitPass(path, unit string) {
	b.Helper()
	b.await(path, "pass", func(s station.SlotView) bool { return s.State == station.Passed && s.Unit == unit })
}

func (b *bench) attempt(id uint64) jobs.Attempt {
	b.Helper()
	a, err := b.store.Attempt(id)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// A chip's own USB unit may leave with the chip's reset and come back, so it is
// waited for; a bridge does not leave unless somebody pulls it.
func TestOnlyTheChipsOwnUSBIsWaitedFor(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				b.insertAs(left, newUnitWired(1, k.wiring), k.usb(1))
				b.awaitPhase(left, "check")
				attempt := b.slot(left).Attempt
				b.remove(left)
				time.Sleep(time.Second)
				a := b.attempt(attempt)
				if ended := a.Outcome != ""; ended != k.stays {
					t.Errorf("a second later the attempt is %q", a.Outcome)
				}
			})
		})
	}
}
