package flasher_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// bothLoaders runs a test with the stub and with the ROM loader.
func bothLoaders(t *testing.T, test func(t *testing.T, noStub bool)) {
	for _, noStub := range []bool{false, true} {
		t.Run(map[bool]string{false: "stub", true: "rom"}[noStub], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, noStub) })
		})
	}
}

// A flash chip in the package is on pins of its own, which the efuses name.
func TestFlashInThePackage(t *testing.T) {
	bothLoaders(t, func(t *testing.T, noStub bool) {
		chip := simulate(espsim.ESP32PicoD4, espsim.Bridge)
		defer chip.Close()
		writeVerifyRead(t, chip, optionsFor(espsim.Bridge, noStub))
	})
}

// From revision v3.1 on it depends on a fuse whether the ROM of a P4 has the
// flash's supply on, and the host has to do the rest.
func TestFlashThatHasToBeSwitchedOn(t *testing.T) {
	const fuses, romPowersFlash = 0x5012D034, 1 << 16
	on := espsim.Bits{Address: 0x501153FC, Mask: 3} // PMU_DATE, forced on
	for name, change := range map[string]func(*espsim.Model){
		"v3.1": func(m *espsim.Model) {
			m.Efuses.Words = map[uint32]uint32{0x5012D04C: 3<<4 | 1}
			m.FlashSupply, m.FlashSupplySet = on, on.Mask
		},
		"v3.2": func(m *espsim.Model) {
			m.Efuses.Words = map[uint32]uint32{0x5012D04C: 3<<4 | 2}
			m.FlashSupply, m.FlashSupplySet = on, on.Mask
		},
		"v3.2, by the ROM": func(m *espsim.Model) {
			m.Efuses.Words = map[uint32]uint32{0x5012D04C: 3<<4 | 2, fuses: romPowersFlash}
			m.FlashSupply = on
		},
		"v3.2, by the ROM, and forced on by an earlier session": func(m *espsim.Model) {
			m.Efuses.Words = map[uint32]uint32{0x5012D04C: 3<<4 | 2, fuses: romPowersFlash}
			m.FlashSupply, m.Registers = on, map[uint32]uint32{on.Address: 0xABC3}
		},
		"v3.0": func(m *espsim.Model) {
			m.Efuses.Words = map[uint32]uint32{0x5012D04C: 3 << 4}
			m.FlashSupply = on // and nothing may be touched
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothLoaders(t, func(t *testing.T, noStub bool) {
				model := *espsim.ESP32P4
				change(&model)
				chip := simulate(&model, espsim.USBSerialJTAG)
				defer chip.Close()
				writeVerifyRead(t, chip, optionsFor(espsim.USBSerialJTAG, noStub))
			})
		})
	}
}

// A flash chip of XMC that has not started with the supply is started again.
func TestFlashThatDidNotStart(t *testing.T) {
	for _, model := range []*espsim.Model{espsim.ESP32, espsim.ESP32C3} {
		t.Run(model.Name, func(t *testing.T) {
			bothLoaders(t, func(t *testing.T, noStub bool) {
				chip := simulate(model, espsim.Bridge, espsim.Fault{Kind: espsim.XMCStart})
				defer chip.Close()
				writeVerifyRead(t, chip, optionsFor(espsim.Bridge, noStub))
			})
		})
	}
}

// What mode the application left the flash in is of no matter after a session.
func TestFlashInAStrangeMode(t *testing.T) {
	bothLoaders(t, func(t *testing.T, noStub bool) {
		chip := espsim.New(espsim.Config{
			Model: espsim.ESP32S3, MAC: testMAC, Flash: bootable(t, espsim.ESP32S3), Timing: espsim.Realistic(espsim.Bridge),
			Faults: []espsim.Fault{{Kind: espsim.FlashMode}},
		})
		defer chip.Close()
		time.Sleep(time.Second)
		if state := chip.State(); state != espsim.BootLoop {
			t.Fatalf("it does boot: %v", state)
		}
		d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, noStub))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := d.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if !chip.BootedApp() {
			t.Errorf("the chip is in state %v", chip.State())
		}
	})
}

// An ID that no flash chip gives is one of a flash that is not there, or of a
// line to it that is not.
func TestImplausibleFlashIDs(t *testing.T) {
	for _, id := range []uint32{0, 0xFFFFFF, 0xFF40EF, 0x0040EF, 0x174000, 0x1740FF, 0x7F40EF, 0xEFEFEF} {
		t.Run(fmt.Sprintf("%06x", id), func(t *testing.T) {
			bothLoaders(t, func(t *testing.T, noStub bool) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge, espsim.Fault{Kind: espsim.FlashID, Value: id})
				defer chip.Close()
				if _, err := open(t.Context(), chip, optionsFor(espsim.Bridge, noStub)); !errors.Is(err, flasher.BadFlash) {
					t.Errorf("got %v, want %v", err, flasher.BadFlash)
				}
			})
		})
	}
}

func TestFlashSizes(t *testing.T) {
	for id, want := range map[flasher.FlashID]int{
		0x1740EF: 8 << 20,  // W25Q64
		0x1640C8: 4 << 20,  // GD25Q32
		0x184020: 16 << 20, // XM25QH128C
		0x204020: 64 << 20, // XM25QH512
		0x1A8484: 64 << 20, // 64 MiB in the usual way
		0x3980C2: 32 << 20, // MX25UM25645G, octal
		0x00871F: 4 << 20,  // Adesto AT25SF321: the type tells
	} {
		if got := id.Size(); got != want {
			t.Errorf("%s has %d bytes, want %d", id, got, want)
		}
	}
}
