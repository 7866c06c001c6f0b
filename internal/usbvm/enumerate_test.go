//go:build usbvm

package usbvm_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/hotplug"
)

var mac = [6]byte{0x34, 0x85, 0x18, 0xA1, 0xB2, 0xC3}

// Each kind of board is what it would be to the kernel, libusb and hotplug.
func TestEnumeration(t *testing.T) {
	for _, tc := range []struct {
		adapter usbip.Adapter
		model   *espsim.Model
		want    hotplug.Device
	}{
		{usbip.USBSerialJTAG, espsim.ESP32S3, hotplug.Device{VID: 0x303A, PID: 0x1001, Serial: "34:85:18:A1:B2:C3", Product: "USB JTAG/serial debug unit", TTY: "/dev/ttyACM0"}},
		{usbip.USBOTG, espsim.ESP32S2, hotplug.Device{VID: 0x303A, PID: 0x0002, Serial: "0", Product: "esp32s2", TTY: "/dev/ttyACM0"}},
		{usbip.CP2102, espsim.ESP32, hotplug.Device{VID: 0x10C4, PID: 0xEA60, Serial: "0001", Product: "CP2102 USB to UART Bridge Controller", TTY: "/dev/ttyUSB0"}},
		{usbip.CH340, espsim.ESP32, hotplug.Device{VID: 0x1A86, PID: 0x7523, Product: "USB Serial", TTY: "/dev/ttyUSB0"}},
	} {
		t.Run(tc.adapter.String(), func(t *testing.T) {
			events := watch(t)
			board := newBoard(t, usbip.New(espsim.Config{Model: tc.model, MAC: mac}, tc.adapter))
			plug(t, board, 0)
			tc.want.Path = path(t, 0)
			event := next(t, events)
			if diff := cmp.Diff(hotplug.Event{Kind: hotplug.Attach, Device: tc.want}, event, cmpopts.IgnoreFields(hotplug.Device{}, "Bus", "Address")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			board.Unplug()
			if got := next(t, events); got != (hotplug.Event{Kind: hotplug.Detach, Device: event.Device}) {
				t.Errorf("after the unplug: %+v", got)
			}
		})
	}
}

func watch(t *testing.T) <-chan hotplug.Event {
	t.Helper()
	wake, err := hotplug.Uevents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return hotplug.Watch(t.Context(), &hotplug.Sysfs{}, wake, hotplug.Options{})
}

func next(t *testing.T, events <-chan hotplug.Event) hotplug.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
		return hotplug.Event{}
	}
}

func newBoard(t *testing.T, b *usbip.Board) *usbip.Board {
	t.Cleanup(b.Close)
	return b
}

// plug puts a board into a port, and sees to it that the next test does not find
// it there.
func plug(t *testing.T, b *usbip.Board, port int) {
	t.Helper()
	if err := b.Plug(port); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join("/sys/bus/usb/devices", path(t, port))
	t.Cleanup(func() {
		b.Unplug()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("the board does not leave %s", place)
				return
			}
		}
	})
}

func path(t *testing.T, port int) string {
	t.Helper()
	p, err := usbip.Path(port)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
