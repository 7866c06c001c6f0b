package espsim_test

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/nvsgen"
)

// buildImage is an image of one segment with checksum and SHA-256.
func buildImage(chipID uint16, code []byte) []byte {
	b := make([]byte, 24)
	b[0], b[1], b[23] = 0xE9, 1, 1
	binary.LittleEndian.PutUint32(b[4:], 0x40380000)
	binary.LittleEndian.PutUint16(b[12:], chipID)
	b = append(b, words(0x40380000, uint32(len(code)))...)
	sum := byte(0xEF)
	for _, c := range code {
		sum ^= c
	}
	b = append(b, code...)
	for len(b)%16 != 15 {
		b = append(b, 0)
	}
	b = append(b, sum)
	digest := sha256.Sum256(b)
	return append(b, digest[:]...)
}

// row is a row of the partition table.
func row(kind, subtype byte, offset, size uint32, label string) []byte {
	b := append([]byte{0xAA, 0x50, kind, subtype}, words(offset, size)...)
	name := make([]byte, 20)
	copy(name, label)
	return append(b, name...)
}

const (
	nvsAt, nvsSize = 0x9000, 0x5000
	appAt          = 0x10000
)

// unit returns the flash of a unit with firmware, and with what is given as NVS.
func unit(t *testing.T, model *espsim.Model, nvs []nvsgen.Entry) *espsim.Flash {
	t.Helper()
	flash := espsim.NewFlash(4 << 20)
	table := append(row(1, 2, nvsAt, nvsSize, "nvs"), row(0, 0, appAt, 0x100000, "factory")...)
	program(t, flash, int(model.BootloaderOffset), buildImage(model.ChipID, noise(5000)))
	program(t, flash, 0x8000, table)
	program(t, flash, appAt, buildImage(model.ChipID, noise(100_000)))
	if nvs != nil {
		image, err := nvsgen.Generate(nvs, nvsSize, nil)
		if err != nil {
			t.Fatal(err)
		}
		program(t, flash, nvsAt, image)
	}
	return flash
}

func program(t *testing.T, flash *espsim.Flash, at int, data []byte) {
	t.Helper()
	if err := flash.Program(at, data); err != nil {
		t.Fatal(err)
	}
}

// bootLog resets the chip into its application and returns what it says in a while.
func bootLog(t *testing.T, cfg espsim.Config) (log string, state espsim.State) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.MAC = testMAC
		chip := espsim.New(cfg)
		defer chip.Close()
		port, err := chip.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer port.Close()
		for _, s := range hard {
			if err := port.SetLines(s.dtr, s.rts); err != nil {
				t.Fatal(err)
			}
			time.Sleep(s.stay)
		}
		time.Sleep(2 * time.Second)
		log, state = available(t, port), chip.State()
	})
	return log, state
}

func provisioned() []nvsgen.Entry {
	return []nvsgen.Entry{
		nvsgen.String("other", "mqtt_user", "somebody else"),
		nvsgen.String("gateway", "mqtt_user", "gw-A1B2C3D4E5F6"),
		nvsgen.String("gateway", "mqtt_pass", "correct horse battery staple"),
		nvsgen.U8("gateway", "provisioned", 1),
	}
}

func TestApplicationLog(t *testing.T) {
	for _, tc := range []struct {
		name string
		nvs  []nvsgen.Entry
		want []string
		not  []string
	}{
		{
			"blank NVS", nil,
			[]string{"Device ID: A1B2C3D4E5F6\r\n", "No configuration found in flash.\r\n"},
			[]string{"MQTT user"},
		},
		{
			"provisioned", provisioned(),
			[]string{"Device ID: A1B2C3D4E5F6\r\n", "MQTT user: gw-A1B2C3D4E5F6\r\n", "MQTT connected."},
			[]string{"No configuration", "horse", "somebody else"},
		},
		{
			"provisioned = 0", append(provisioned()[:3:3], nvsgen.U8("gateway", "provisioned", 0)),
			[]string{"No configuration found in flash."},
			[]string{"MQTT user", "horse"},
		},
		{"without the flag", provisioned()[:3], []string{"No configuration found in flash."}, []string{"MQTT user"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, model := range espsim.Models() {
				cfg := espsim.Config{Model: model, Flash: unit(t, model, tc.nvs), Timing: espsim.Realistic(espsim.Bridge)}
				log, state := bootLog(t, cfg)
				if state != espsim.App {
					t.Errorf("%s: state %v", model.Name, state)
				}
				for _, s := range append(tc.want, "Loaded app from partition at offset 0x10000", "load:0x40380000,len:0x1388") {
					if !strings.Contains(log, s) && model != espsim.ESP32C2 { // its ROM's log comes at 74880 baud
						t.Errorf("%s: no %q in the log:\n%s", model.Name, s, log)
					}
				}
				for _, s := range tc.not {
					if strings.Contains(log, s) {
						t.Errorf("%s: %q in the log:\n%s", model.Name, s, log)
					}
				}
			}
		})
	}
}

// TestWhatDoesNotBoot damages a unit's flash.
func TestWhatDoesNotBoot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(*espsim.Flash) error
		want   string
	}{
		{"no bootloader", func(f *espsim.Flash) error { return f.Erase(0, 0x2000) }, "invalid header: 0xffffffff"},
		{"damaged bootloader", func(f *espsim.Flash) error { return f.Program(0x200, make([]byte, 8)) }, "checksum failed"},
		{"no partition table", func(f *espsim.Flash) error { return f.Erase(0x8000, 0x1000) }, "invalid magic number"},
		{"no application", func(f *espsim.Flash) error { return f.Erase(appAt, 0x1000) }, "nothing flashed here?"},
		{"damaged application", func(f *espsim.Flash) error { return f.Program(appAt+5000, make([]byte, 8)) }, "checksum failed"},
		{"damaged digest", func(f *espsim.Flash) error { return f.Program(appAt+100_048, make([]byte, 8)) }, "image hash failed"},
		{"application of another chip", func(f *espsim.Flash) error {
			if err := f.Erase(appAt, 0x20000); err != nil {
				return err
			}
			return f.Program(appAt, buildImage(espsim.ESP32C3.ChipID, noise(1000)))
		}, "mismatch chip ID, expected 9, found 5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			flash := unit(t, espsim.ESP32S3, provisioned())
			if err := tc.damage(flash); err != nil {
				t.Fatal(err)
			}
			log, state := bootLog(t, espsim.Config{Model: espsim.ESP32S3, Flash: flash, Timing: espsim.Realistic(espsim.Bridge)})
			if state == espsim.App || strings.Contains(log, "Device ID") {
				t.Errorf("it boots; state %v", state)
			}
			if !strings.Contains(log, tc.want) {
				t.Errorf("no %q in the log:\n%s", tc.want, log)
			}
			if strings.Count(log, "ESP-ROM:") < 2 {
				t.Error("it does not try again")
			}
		})
	}
}

// TestOTASlot: the bootloader follows the OTA data.
func TestOTASlot(t *testing.T) {
	flash := espsim.NewFlash(4 << 20)
	table := append(row(1, 2, nvsAt, nvsSize, "nvs"), row(1, 0, 0xE000, 0x2000, "otadata")...)
	table = append(table, row(0, 0x10, 0x10000, 0x100000, "ota_0")...)
	table = append(table, row(0, 0x11, 0x110000, 0x100000, "ota_1")...)
	image := buildImage(espsim.ESP32S3.ChipID, noise(1000))
	program(t, flash, 0, image)
	program(t, flash, 0x8000, table)
	program(t, flash, 0x10000, image)
	program(t, flash, 0x110000, image)
	cfg := espsim.Config{Model: espsim.ESP32S3, Flash: flash}
	if log, _ := bootLog(t, cfg); !strings.Contains(log, "offset 0x10000") {
		t.Errorf("with blank OTA data it does not boot ota_0:\n%s", log)
	}
	// Sequence 2 with its CRC: esp_rom_crc32_le(UINT32_MAX, 02 00 00 00).
	record := append(words(2), make([]byte, 20)...)
	record = append(record, words(0xFFFFFFFF, 0x55F63774)...)
	program(t, flash, 0xE000, record)
	if log, _ := bootLog(t, cfg); !strings.Contains(log, "offset 0x110000") {
		t.Errorf("with sequence 2 it does not boot ota_1:\n%s", log)
	}
}

// TestWatchdogReset leaves download mode as esptool does where RTS cannot.
func TestWatchdogReset(t *testing.T) {
	for _, tc := range []struct {
		model  *espsim.Model
		wiring espsim.Wiring
	}{{espsim.ESP32S3, espsim.Bridge}, {espsim.ESP32C3, espsim.Bridge}, {espsim.ESP32S3, espsim.USBSerialJTAG}} {
		cfg := espsim.Config{Model: tc.model, Wiring: tc.wiring, Flash: unit(t, tc.model, nil), Timing: espsim.Realistic(tc.wiring)}
		inBubble(t, cfg, func(t *testing.T, c *client) {
			c.sync()
			w := tc.model.Watchdog
			c.command(0x09, w.Config1, 2000, 0xFFFFFFFF, 0) // locked: nothing happens
			c.command(0x09, w.Config0, 0xD0000102, 0xFFFFFFFF, 0)
			time.Sleep(time.Second)
			if got := c.chip.State(); got != espsim.Download {
				t.Fatalf("%s: a locked watchdog took the chip to %v", tc.model.Name, got)
			}
			c.command(0x09, w.Protect, 0x50D83AA1, 0xFFFFFFFF, 0)
			c.command(0x09, w.Config1, 2000, 0xFFFFFFFF, 0)
			c.command(0x09, w.Config0, 0xD0000102, 0xFFFFFFFF, 0)
			time.Sleep(time.Second)
			if got := c.chip.State(); got != espsim.App {
				t.Errorf("%s: after the watchdog's reset the chip is in %v", tc.model.Name, got)
			}
			if err := c.port.SetBaud(115200); (err != nil) != (tc.wiring == espsim.USBSerialJTAG) {
				t.Errorf("%s: the port after the reset: %v; only a chip's own USB unit leaves the bus", tc.model.Name, err)
			}
		})
	}
}

// TestWatchdogOfFlashBoot: brought over USB from a boot loop into download mode,
// a chip is reset within seconds unless its watchdog is stopped.
func TestWatchdogOfFlashBoot(t *testing.T) {
	for _, stopped := range []bool{true, false} {
		cfg := espsim.Config{Model: espsim.ESP32S3, Wiring: espsim.USBSerialJTAG, Timing: espsim.Realistic(espsim.USBSerialJTAG)}
		inBubble(t, cfg, func(t *testing.T, c *client) {
			if stopped {
				w := espsim.ESP32S3.Watchdog
				c.sync()
				c.command(0x09, w.Protect, 0x50D83AA1, 0xFFFFFFFF, 0)
				c.command(0x09, w.Config0, 0, 0xFFFFFFFF, 0)
			}
			time.Sleep(15 * time.Second)
			if got := c.chip.State() == espsim.Download; got != stopped {
				t.Errorf("watchdog stopped: %v; still in download mode: %v", stopped, got)
			}
		})
	}
}

// TestForceDownloadRegister: the RTC register outlives resets over USB, so that a
// host has to clear it before it lets the application run.
func TestForceDownloadRegister(t *testing.T) {
	cfg := espsim.Config{Model: espsim.ESP32S3, Wiring: espsim.USBSerialJTAG, Flash: unit(t, espsim.ESP32S3, nil)}
	inBubble(t, cfg, func(t *testing.T, c *client) {
		force := espsim.ESP32S3.Straps.ForceDownload.Address
		c.sync()
		c.command(0x09, force, 1, 1, 0)
		c.lines(hard)
		c.settle()
		if got := c.chip.State(); got != espsim.Download {
			t.Errorf("with the register set a reset leads to %v", got)
		}
		c.sync()
		c.command(0x09, force, 0, 1, 0)
		c.lines(hard)
		c.settle()
		if got := c.chip.State(); got != espsim.App {
			t.Errorf("with the register cleared a reset leads to %v", got)
		}
	})
}
