package flasher_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// secured makes a chip in secure download mode, with protections beside it.
func secured(model *espsim.Model, flash *espsim.Flash, also espsim.Security) *espsim.Chip {
	also.SecureDownload = true
	return espsim.New(espsim.Config{
		Model: model, MAC: testMAC, Flash: flash, Timing: espsim.Realistic(espsim.Bridge), Security: also,
	})
}

// onEverySecured runs a test with each chip that has secure download mode.
func onEverySecured(t *testing.T, test func(*testing.T, *espsim.Model)) {
	for _, model := range espsim.Models() {
		if model != espsim.ESP32 {
			t.Run(model.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, model) })
			})
		}
	}
}

// In secure download mode a unit is not written unless that is asked for.
func TestSecureDownloadIsRefused(t *testing.T) {
	onEverySecured(t, func(t *testing.T, model *espsim.Model) {
		chip := secured(model, espsim.NewFlash(testFlash), espsim.Security{})
		defer chip.Close()
		if _, err := open(t.Context(), chip, flasher.Options{Baud: 921600}); !errors.Is(err, flasher.Unverifiable) {
			t.Errorf("got %v, want %v", err, flasher.Unverifiable)
		}
		isBlank(t, chip)
	})
}

func isBlank(t *testing.T, chip *espsim.Chip) {
	t.Helper()
	if blank := bytes.Repeat([]byte{0xFF}, testFlash); !bytes.Equal(chip.Flash().Bytes(), blank) {
		t.Error("the flash was touched")
	}
}

// Not even then if it has a protection that plain images defeat.
func TestSecureDownloadWithProtections(t *testing.T) {
	for name, also := range map[string]espsim.Security{"secure boot": {SecureBoot: true}, "flash encryption": {FlashEncryption: true}} {
		t.Run(name, func(t *testing.T) {
			onEverySecured(t, func(t *testing.T, model *espsim.Model) {
				chip := secured(model, espsim.NewFlash(testFlash), also)
				defer chip.Close()
				if _, err := open(t.Context(), chip, flasher.Options{UnverifiedFlash: testFlash}); !errors.Is(err, flasher.Secured) {
					t.Errorf("got %v, want %v", err, flasher.Secured)
				}
				isBlank(t, chip)
			})
		})
	}
}

// If it is asked for, the ROM writes, and nothing is claimed to be verified.
func TestSecureDownloadIsWrittenOnRequest(t *testing.T) {
	onEverySecured(t, func(t *testing.T, model *espsim.Model) {
		chip := secured(model, bootable(t, model), espsim.Security{})
		defer chip.Close()
		d, err := open(t.Context(), chip, flasher.Options{Baud: 921600, UnverifiedFlash: testFlash})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if d.Chip().Name != model.Name || d.MAC() != (flasher.MAC{}) || d.Loader() != "ROM" || !d.Security().SecureDownload {
			t.Errorf("it is a %s, %s, with %s, served by %s", d.Chip(), d.MAC(), d.Security(), d.Loader())
		}
		data := codeLike(50_001)
		p := pack(t, "data", 0x100000, data)
		if err := d.WriteFlash(t.Context(), p, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(chip.Flash().Bytes()[0x100000:][:len(data)], data) {
			t.Error("the flash holds something else")
		}
		tellsNothing(t, d, p)
		if err := d.WriteFlash(t.Context(), pack(t, "data", testFlash-0x1000, make([]byte, 0x2000)), nil); !errors.Is(err, flasher.TooLarge) {
			t.Errorf("beyond the end: %v", err)
		}
		if err := d.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if !chip.BootedApp() {
			t.Errorf("the chip is in state %v", chip.State())
		}
	})
}

// tellsNothing checks that all that would verify a write says that it cannot.
func tellsNothing(t *testing.T, d *flasher.Device, p *flasher.Packed) {
	t.Helper()
	for what, ask := range map[string]func() error{
		"Verify":        func() error { return d.Verify(t.Context(), p) },
		"Holds":         func() error { _, err := d.Holds(t.Context(), p); return err },
		"ReadFlash":     func() error { _, err := d.ReadFlash(t.Context(), 0, 64, nil); return err },
		"UpdateFlash":   func() error { return d.UpdateFlash(t.Context(), p, nil) },
		"ConfirmMAC":    func() error { return d.ConfirmMAC(t.Context()) },
		"CheckRevision": func() error { return d.CheckRevision(t.Context(), 1, 0) },
	} {
		if err := ask(); !errors.Is(err, flasher.Unverifiable) {
			t.Errorf("%s: got %v, want %v", what, err, flasher.Unverifiable)
		}
	}
}

// A damaged frame is sent again in secure download mode, too; a reset, behind
// which there could be another unit, is not tried.
func TestSecureDownloadOverALossyLine(t *testing.T) {
	for name, tc := range map[string]struct {
		fault espsim.Fault
		want  error
	}{
		"byte lost":    {espsim.Fault{Kind: espsim.DropByte, Byte: 20_000}, nil},
		"byte garbled": {espsim.Fault{Kind: espsim.GarbleByte, Byte: 20_000}, nil},
		"supply dips":  {espsim.Fault{Kind: espsim.BrownOut, Op: uint8(flasher.FlashData), Nth: 9}, flasher.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := espsim.New(espsim.Config{
					Model: espsim.ESP32C3, MAC: testMAC, Flash: espsim.NewFlash(testFlash), Timing: espsim.Realistic(espsim.Bridge),
					Security: espsim.Security{SecureDownload: true}, Faults: []espsim.Fault{tc.fault},
				})
				defer chip.Close()
				port := &lineLog{Port: openPort(t, chip)}
				d, err := flasher.Open(t.Context(), port, flasher.Options{Baud: 921600, UnverifiedFlash: testFlash})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				port.seen = nil
				data := codeLike(50_000)
				err = d.WriteFlash(t.Context(), pack(t, "data", 0, data), nil)
				switch {
				case !errors.Is(err, tc.want):
					t.Errorf("got %v, want %v", err, tc.want)
				case err == nil && !bytes.Equal(chip.Flash().Bytes()[:len(data)], data):
					t.Error("the flash holds something else")
				}
				if len(port.seen) > 0 {
					t.Errorf("the lines were set to %v", port.seen)
				}
			})
		})
	}
}
