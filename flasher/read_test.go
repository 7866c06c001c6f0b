package flasher_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// readable is a session with a chip whose flash holds data from 0 on.
func readable(t *testing.T, data []byte, noStub bool, faults ...espsim.Fault) *flasher.Device {
	t.Helper()
	chip := simulate(espsim.ESP32S3, espsim.Bridge, faults...)
	t.Cleanup(chip.Close)
	if err := chip.Flash().Program(0, data); err != nil {
		t.Fatal(err)
	}
	d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, noStub))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// What is asked after something was given up gets its own answer, and not the
// one that the loader still owed.
func TestCommandsThatAreGivenUp(t *testing.T) {
	data := codeLike(200_000)
	first, second := 100_000, 10_000
	giveUp := map[string]func(context.Context, *flasher.Device, flasher.Progress) error{
		"reading": func(ctx context.Context, d *flasher.Device, progress flasher.Progress) error {
			_, err := d.ReadFlash(ctx, 0, first, progress)
			return err
		},
		"digest": func(ctx context.Context, d *flasher.Device, _ flasher.Progress) error {
			ctx, cancel := context.WithTimeoutCause(ctx, 1, context.Canceled)
			defer cancel()
			_, err := d.FlashMD5(ctx, 0, first)
			return err
		},
	}
	for name, start := range giveUp {
		for _, noStub := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ROM %v", name, noStub), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := readable(t, data, noStub)
					for range 3 { // in the middle of mending, too
						ctx, cancel := context.WithCancel(t.Context())
						err := start(ctx, d, func(done, _ int) {
							if done > 8000 {
								cancel()
							}
						})
						cancel()
						if !errors.Is(err, context.Canceled) {
							t.Fatalf("got %v, want %v", err, context.Canceled)
						}
					}
					got, err := d.ReadFlash(t.Context(), uint32(first), second, nil)
					if err != nil || !bytes.Equal(got, data[first:first+second]) {
						t.Errorf("what was asked for afterwards is not what came: %v", err)
					}
					p := pack(t, "data", 0x1000, data[0x1000:0x3000])
					if err := d.Verify(t.Context(), p); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// A loader that works on what was given up for longer than a SYNC gets is waited for.
func TestLongCommandThatIsGivenUp(t *testing.T) {
	data := codeLike(8192)
	for _, noStub := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := readable(t, data, noStub, espsim.Fault{Kind: espsim.Stall, Op: uint8(flasher.SPIFlashMD5), For: 6 * time.Second})
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, context.Canceled)
			_, err := d.FlashMD5(ctx, 0, 1<<20)
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want %v", err, context.Canceled)
			}
			if err := d.Verify(t.Context(), pack(t, "data", 0, data)); err != nil {
				t.Errorf("ROM %v: %v", noStub, err)
			}
		})
	}
}

// A byte that is lost on the way ends a read with an error, not with other
// bytes, and the next one works.
func TestReadOverALossyLine(t *testing.T) {
	data := codeLike(50_000)
	synctest.Test(t, func(t *testing.T) {
		d := readable(t, data, false, espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.ReadFlash)})
		if _, err := d.ReadFlash(t.Context(), 0, len(data), nil); !errors.Is(err, flasher.Timeout) {
			t.Errorf("got %v, want %v", err, flasher.Timeout)
		}
		got, err := d.ReadFlash(t.Context(), 0, len(data), nil)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("the next read: %v", err)
		}
	})
}
