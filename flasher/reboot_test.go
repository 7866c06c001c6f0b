package flasher_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// A unit that was put in with its boot pin held stays in download mode at each
// reset of its core: only its watchdog gets it out.
func TestRebootGetsOutOfHeldDownloadMode(t *testing.T) {
	for _, noStub := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			chip := espsim.New(espsim.Config{
				Model: espsim.ESP32S3, MAC: testMAC, Flash: bootable(t, espsim.ESP32S3), Wiring: espsim.USBSerialJTAG,
				Timing: espsim.Realistic(espsim.USBSerialJTAG), BootHeld: true,
			})
			defer chip.Close()
			d, err := open(t.Context(), chip, optionsFor(espsim.USBSerialJTAG, noStub))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			chip.HoldBoot(false) // the thumb is taken off; the chip has looked already
			if err := d.Reboot(t.Context()); err != nil && !errors.Is(err, flasher.Detached) {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if !chip.BootedApp() {
				t.Errorf("the chip is in state %v", chip.State())
			}
		})
	}
}

// A chip that starts at once is not reset twice, and none of what it says is lost.
func TestRebootKeepsTheLog(t *testing.T) {
	for _, wiring := range []espsim.Wiring{espsim.Bridge, espsim.USBSerialJTAG} {
		synctest.Test(t, func(t *testing.T) {
			chip := espsim.New(espsim.Config{
				Model: espsim.ESP32S3, MAC: testMAC, Flash: bootable(t, espsim.ESP32S3), Wiring: wiring, Timing: espsim.Realistic(wiring),
			})
			defer chip.Close()
			d, err := open(t.Context(), chip, optionsFor(wiring, false))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			before := chip.Stats().Resets
			if err := d.Reboot(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var log strings.Builder
			for !strings.Contains(log.String(), "DEVICE_ID") && !chipSaysApp(log.String()) {
				line, err := d.Line(ctx)
				if err != nil {
					t.Fatalf("%v after\n%s", err, log.String())
				}
				log.WriteString(line + "\n")
			}
			if !strings.Contains(log.String(), "boot:0x") {
				t.Errorf("the log does not tell how the chip started:\n%s", log.String())
			}
			if n := chip.Stats().Resets - before; n != 1 {
				t.Errorf("%d resets", n)
			}
		})
	}
}

// chipSaysApp: the application's segments are being loaded.
func chipSaysApp(log string) bool { return strings.Contains(log, "entry 0x") }

// A port without a reset line leaves the watchdog, on chips where esptool uses it.
func TestRebootByWatchdog(t *testing.T) {
	for _, model := range espsim.Models() {
		t.Run(model.Name, func(t *testing.T) {
			bothLoaders(t, func(t *testing.T, noStub bool) {
				chip := espsim.New(espsim.Config{
					Model: model, MAC: testMAC, Flash: bootable(t, model), Timing: espsim.Realistic(espsim.Bridge), BootHeld: true,
				})
				defer chip.Close()
				d, err := flasher.Open(t.Context(), lineless{openPort(t, chip)}, optionsFor(espsim.Bridge, noStub))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				chip.HoldBoot(false)
				err = d.Reboot(t.Context())
				switch model.Name {
				case "esp32", "esp32c6", "esp32h2":
					if !errors.Is(err, flasher.Unsupported) {
						t.Errorf("got %v, want %v", err, flasher.Unsupported)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if !chip.BootedApp() {
					t.Errorf("the chip is in state %v", chip.State())
				}
			})
		})
	}
}

// bootable is a flash with something to start in it.
func bootable(t *testing.T, model *espsim.Model) *espsim.Flash {
	t.Helper()
	flash := espsim.NewFlash(testFlash)
	image := func(content byte) []byte { return testImage(model.ChipID, bytes.Repeat([]byte{content}, 64)) }
	for offset, data := range map[int][]byte{int(model.BootloaderOffset): image(1), 0x8000: tableOf(t), 0x10000: image(2)} {
		if err := flash.Program(offset, data); err != nil {
			t.Fatal(err)
		}
	}
	return flash
}

func tableOf(t *testing.T) []byte {
	t.Helper()
	table := flasher.PartitionTable{
		{Type: flasher.DataPartition, SubType: flasher.NVS, Offset: 0x9000, Size: 0x5000, Label: "nvs"},
		{Type: flasher.AppPartition, SubType: 0, Offset: 0x10000, Size: 0x100000, Label: "app"},
	}
	data, err := table.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
