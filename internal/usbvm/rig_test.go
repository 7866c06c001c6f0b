//go:build usbvm

package usbvm_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/usbrig"
)

// A board is pulled out, and its tty's name goes to the next one in another
// slot, before anybody was told: nobody may take that one for it.
func TestNameOfATTYGoesToAnotherBoard(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	rig := usbrig.New(usbrig.Config{Log: slog.New(slog.DiscardHandler)})
	ended := make(chan error, 1)
	go func() { ended <- rig.Run(ctx, nil) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
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
