//go:build usbvm

package usbvm_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/serialport"
)

// A hub reports a device that is gone 50 ms after the cable was pulled (see
// usbip); 100 ms later everybody has to know. The machine counts its own time.
const detachLimit = 150 * time.Millisecond

// The cable is pulled while somebody reads and somebody writes more than the
// adapter takes: both are told soon, whatever driver stands between.
func TestUnplugInMidTransfer(t *testing.T) {
	for i, adapter := range []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102, usbip.CH340} {
		t.Run(adapter.String(), func(t *testing.T) {
			unit := newUnit(t, 20+i, adapter)
			events := watch(t)
			plug(t, unit, 108+i)
			device := next(t, events).Device
			port, err := serialport.Open(t.Context(), device.TTY)
			if err != nil {
				t.Fatal(err)
			}
			defer port.Close()
			// In download mode the chip stays on the bus, and takes what it is sent.
			dev, err := flasher.Connect(t.Context(), port, flasher.Options{Wiring: flasher.WiringOf(device.VID, device.PID), NoStub: true})
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			ended := map[string]chan error{"Read": make(chan error, 1), "Write": make(chan error, 1)}
			go func() { ended["Read"] <- untilError(port.Read, make([]byte, 256)) }()
			go func() { ended["Write"] <- untilError(port.Write, bytes.Repeat([]byte{0xC0}, 64<<10)) }()
			time.Sleep(500 * time.Millisecond)
			pulled := time.Now()
			go unit.Unplug()
			for what, end := range ended {
				err, _ := await(t, "end of "+what, end)
				took := time.Since(pulled)
				if !errors.Is(err, flasher.Detached) || took > detachLimit {
					t.Errorf("%s: %v after %v, want Detached within %v", what, err, took, detachLimit)
				}
				t.Logf("%s ended after %v", what, took.Round(time.Millisecond))
			}
		})
	}
}

// untilError does the same to a port until that fails.
func untilError(do func([]byte) (int, error), b []byte) error {
	for {
		if _, err := do(b); err != nil {
			return err
		}
	}
}
