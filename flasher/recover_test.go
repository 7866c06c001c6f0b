package flasher_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// swap changes the board on a bridge once the first data goes out.
type swap struct {
	*bridge
	other flasher.Port
}

func (s *swap) Write(b []byte) (int, error) {
	if s.other != nil && len(b) > 2 && flasher.Opcode(b[2]) == flasher.FlashDeflData {
		s.change(s.other)
		s.other = nil
	}
	return s.bridge.Write(b)
}

// Starting again after a loader was lost must not go on with another board.
func TestReconnectNoticesAnotherBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := simulate(espsim.ESP32S3, espsim.Bridge)
		defer first.Close()
		second := espsim.New(espsim.Config{
			Model: espsim.ESP32S3, MAC: flasher.MAC{0x34, 0x85, 0x18, 1, 2, 3}, Flash: espsim.NewFlash(testFlash),
			Timing: espsim.Realistic(espsim.Bridge),
		})
		defer second.Close()
		port := &swap{bridge: &bridge{board: openPort(t, first)}}
		d, err := flasher.Open(t.Context(), port, flasher.Options{Baud: 921600})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		port.other = openPort(t, second)
		err = d.WriteFlash(t.Context(), pack(t, "app", 0x10000, codeLike(50_000)), nil)
		if !errors.Is(err, flasher.WrongUnit) {
			t.Errorf("got %v, want %v", err, flasher.WrongUnit)
		}
		for i, b := range second.Flash().Bytes() {
			if b != 0xFF {
				t.Fatalf("the other board's flash was written at %#x", i)
			}
		}
	})
}

// A session that was started again once is not started again for ever, and a
// cancelled one not at all.
func TestReconnectIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge, espsim.Fault{Kind: espsim.BrownOut, Op: uint8(flasher.FlashDeflData), Times: -1})
		defer chip.Close()
		port := &lineLog{Port: openPort(t, chip)}
		d, err := flasher.Open(t.Context(), port, optionsFor(espsim.Bridge, false))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		port.seen = nil
		s := pack(t, "app", 0x10000, codeLike(50_000))
		for _, want := range []error{flasher.Timeout, flasher.NoSync} { // first the command, then the loader
			if err := d.WriteFlash(t.Context(), s, nil); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		resets := 0
		for _, lines := range port.seen {
			if lines == "01" { // EN low
				resets++
			}
		}
		if resets != 1 {
			t.Errorf("%d resets", resets)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.WriteFlash(ctx, s, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}
