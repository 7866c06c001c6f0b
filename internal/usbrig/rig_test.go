package usbrig_test

import (
	"errors"
	"log/slog"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/usbrig"
)

// A unit that has left its place is not looked for under the name of its tty.
func TestUnitThatLeftIsNotOpened(t *testing.T) {
	rig := usbrig.New(usbrig.Config{Log: slog.New(slog.DiscardHandler)})
	gone := hotplug.Device{Path: "250-1", VID: 0x303A, PID: 0x1001, TTY: "/dev/null", Bus: 250, Address: 3}
	if _, err := rig.Open(t.Context(), gone); !errors.Is(err, flasher.Detached) {
		t.Errorf("got %v, want Detached", err)
	}
}
