package flasher_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// largeFlash is a session with a chip of 32 MiB, of which the first sector is taken.
func largeFlash(t *testing.T, model *espsim.Model, noStub bool) (*espsim.Chip, *flasher.Device) {
	t.Helper()
	chip := espsim.New(espsim.Config{Model: model, MAC: testMAC, Flash: espsim.NewFlash(2 * flasher.NarrowFlash), Timing: espsim.Realistic(espsim.Bridge)})
	t.Cleanup(chip.Close)
	if err := chip.Flash().Program(0, make([]byte, flasher.SectorSize)); err != nil {
		t.Fatal(err)
	}
	d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, noStub))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return chip, d
}

// What a loader does not reach is refused: it would go over the start of the flash.
func TestLargeFlash(t *testing.T) {
	for name, tc := range map[string]struct {
		model  *espsim.Model
		noStub bool
		loader string
		beyond error
	}{
		"stub with long addresses":    {espsim.ESP32S3, false, "stub", nil},
		"ROM":                         {espsim.ESP32S3, true, "ROM", flasher.Unsupported},
		"stub without long addresses": {espsim.ESP32, false, "ROM", flasher.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip, d := largeFlash(t, tc.model, tc.noStub)
				if got := d.Loader()[:len(tc.loader)]; got != tc.loader {
					t.Errorf("it is written by the %s, want the %s", got, tc.loader)
				}
				below := pack(t, "below", flasher.NarrowFlash-flasher.SectorSize, codeLike(flasher.SectorSize))
				if err := errors.Join(d.WriteFlash(t.Context(), below, nil), d.Verify(t.Context(), below)); err != nil {
					t.Error(err)
				}
				beyond := pack(t, "beyond", flasher.NarrowFlash, codeLike(flasher.SectorSize))
				if err := d.WriteFlash(t.Context(), beyond, nil); !errors.Is(err, tc.beyond) {
					t.Errorf("writing beyond 16 MiB: %v, want %v", err, tc.beyond)
				}
				if _, err := d.ReadFlash(t.Context(), flasher.NarrowFlash, 64, nil); !errors.Is(err, tc.beyond) {
					t.Errorf("reading beyond 16 MiB: %v, want %v", err, tc.beyond)
				}
				if b := chip.Flash().Bytes()[:flasher.SectorSize]; [flasher.SectorSize]byte(b) != [flasher.SectorSize]byte{} {
					t.Error("the start of the flash has changed")
				}
			})
		})
	}
}

// A stub that can write nothing is not used where nothing can reset it.
func TestLargeFlashWithoutLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := espsim.New(espsim.Config{
			Model: espsim.ESP32, MAC: testMAC, Flash: espsim.NewFlash(2 * flasher.NarrowFlash),
			Timing: espsim.Realistic(espsim.Bridge), BootHeld: true,
		})
		defer chip.Close()
		_, err := flasher.Open(t.Context(), lineless{openPort(t, chip)}, optionsFor(espsim.Bridge, false))
		if !errors.Is(err, flasher.Unsupported) {
			t.Errorf("got %v, want %v", err, flasher.Unsupported)
		}
	})
}
