//go:build usbvm

package usbvm_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/usbrig"
)

// A board is pulled out, and its tty's name goes to the next one in another
// slot, before anybody was told: nobody may take that one for it.
func TestNameOfATTYGoesToAnotherBoard(t *testing.T) {
	rig := newRig(t, usbrig.Config{})
	first, second := newUnit(t, 70, usbip.USBSerialJTAG), newUnit(t, 71, usbip.USBSerialJTAG)
	plug(t, first, 0)
	before := next(t, rig.Events()).Device
	first.Unplug()
	next(t, rig.Events())
	plug(t, second, 1)
	after := next(t, rig.Events()).Device
	if before.TTY != after.TTY {
		t.Fatalf("the boards have %s and %s", before.TTY, after.TTY)
	}
	if _, err := rig.Open(t.Context(), before); !errors.Is(err, flasher.Detached) {
		t.Errorf("the first board's port: %v, want Detached", err)
	}
	port, err := rig.Open(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}

// What is no board is told of where it is in a slot, and nowhere else.
func TestStrangerInASlot(t *testing.T) {
	slot := path(t, 1)
	rig := newRig(t, usbrig.Config{
		Slots:  []station.Slot{{Path: slot, Name: "one"}},
		Accept: func(id hotplug.ID) bool { return id.VID == hotplug.Espressif },
	})
	elsewhere, stranger := newUnit(t, 72, usbip.CH340), newUnit(t, 73, usbip.CP2102)
	plug(t, elsewhere, 0)
	plug(t, stranger, 1)
	told := next(t, rig.Events())
	const why = "10c4:ea60 is not known as a board; if it is one, add 10c4:ea60 to usb.accept in flashd.yaml"
	if told.Kind != hotplug.Unusable || told.Device.Path != slot || fmt.Sprint(told.Why) != why {
		t.Errorf("got %+v, want what is in %s as unusable: %s", told, slot, why)
	}
	stranger.Unplug()
	if e := next(t, rig.Events()); e.Kind != hotplug.Detach || e.Device != told.Device {
		t.Errorf("after the unplug: %+v", e)
	}
}

// newRig runs a fixture without a station.
func newRig(t *testing.T, cfg usbrig.Config) *usbrig.Rig {
	ctx, stop := context.WithCancel(t.Context())
	cfg.Log = slog.New(slog.DiscardHandler)
	rig := usbrig.New(cfg)
	ended := make(chan error, 1)
	go func() { ended <- rig.Run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return rig
}
