package flasher

import (
	"context"
	"fmt"
	"slices"
)

// Chip is one kind of target. Each kind is one value in a file of its own; the
// numbers come from the technical reference manuals by way of
// espressif/esptool, esptool/targets/<name>.py.
type Chip struct {
	Name    string // as build systems write it: "esp32s3"
	Title   string // as people write it: "ESP32-S3"
	ImageID uint16 // chip ID in image headers and in GET_SECURITY_INFO

	// BootloaderOffset is the flash offset, in bytes, that the ROM boots from.
	BootloaderOffset uint32

	// magic is what reads at magicReg on chips whose ROM tells no chip ID.
	magic uint32

	// macReg are the efuse words that hold the base MAC: the low 32 bits and
	// the word whose low 16 bits are the high ones.
	macReg [2]uint32

	spi spiRegs

	// forceDownload, if not 0, is a register whose low bit keeps the chip in
	// download mode over resets; it has to be cleared before a reboot
	// (arduino-esp32 issue 6762).
	forceDownload uint32

	// watchdogs of the RTC domain, which USB-Serial/JTAG does not reset and
	// which would end a long session. Zero on chips without that unit.
	watchdogs watchdogRegs

	// LargeFlash: the stub reaches more than NarrowFlash.
	LargeFlash bool

	// plainBegin: the ROM's FLASH_BEGIN has four words, without the one for
	// encrypted writes.
	plainBegin bool
	// wideInflate: the ROM programs inflated data in whole windows of 32 KiB,
	// over whatever lies behind the segment, and drops a window that would end
	// beyond the flash, all without an error. It gets its data uncompressed.
	wideInflate bool
	// romBaud returns what to ask the ROM for so that it comes to a rate, for
	// the chips whose ROM is wrong about its crystal; 0 if that cannot be known.
	romBaud func(read regReader, baud uint32) (uint32, error)
	// macCRC: the efuses hold a CRC-8 of the MAC.
	macCRC bool
	// revision reads the chip's revision.
	revision func(read regReader) (Revision, error)
	// stubName, if set, names the stub for a revision where not all have the
	// same; "" is none.
	stubName func(Revision) string
	// flashPins, if set, reads which pins the flash chip is on, as SPI_ATTACH
	// wants it; 0 is the usual ones.
	flashPins func(read regReader) (uint32, error)
	// powerFlash, if set, is what switches the flash chip on. It comes before
	// the stub, which looks at the flash chip as it starts.
	powerFlash func(ctx context.Context, d *Device) error
	// security reads what GET_SECURITY_INFO tells on other chips; nil where
	// the ROM has that command.
	security func(read regReader) (Security, error)
}

// spiRegs are the addresses of the SPI1 controller's registers, by which a
// loader client sends commands of its own to the flash chip.
type spiRegs struct {
	cmd, address, user, user1, user2, misoLen, w0 uint32

	addressOnTop bool // an address stands in the upper bits of its register
}

// watchdogRegs are the RTC watchdog's registers. autoFeed is the mask in
// superConfig that feeds the super watchdog by hardware.
type watchdogRegs struct {
	config0, config1, protect uint32
	superConfig, superProtect uint32
	key, superKey, autoFeed   uint32
	canReset                  bool // a reset by watchdog works on this chip
}

// wdtKey opens the watchdogs' registers for writing (all chips).
const wdtKey = 0x50D83AA1

// rtcWatchdogs are the watchdogs of S3 and C3, whose super watchdog has a key
// of its own.
func rtcWatchdogs(config0, protect, superConfig, superProtect uint32) watchdogRegs {
	return watchdogRegs{
		config0: config0, config1: config0 + 4, protect: protect, key: wdtKey,
		superConfig: superConfig, superProtect: superProtect, superKey: 0x8F1D312A, autoFeed: 1 << 31,
		canReset: true,
	}
}

// lpWatchdogs are those of the chips with a low-power watchdog block.
func lpWatchdogs(base, protect, superConfig uint32, canReset bool) watchdogRegs {
	return watchdogRegs{
		config0: base, config1: base + 4, protect: base + protect, key: wdtKey,
		superConfig: base + superConfig, superProtect: base + superConfig + 4, superKey: wdtKey, autoFeed: 1 << 18,
		canReset: canReset,
	}
}

// usualSPI is the register layout of every chip since the ESP32-S2.
func usualSPI(base uint32) spiRegs {
	return spiRegs{
		cmd: base, address: base + 0x04, user: base + 0x18, user1: base + 0x1C, user2: base + 0x20,
		misoLen: base + 0x28, w0: base + 0x58,
	}
}

// efuseMAC is the pair of MAC words at reg and the word after it.
func efuseMAC(reg uint32) [2]uint32 { return [2]uint32{reg, reg + 4} }

// magicReg reads differently on each of the older chips, and can be read on
// all of them (it lies in mask ROM).
const magicReg = 0x40001000

// Chips are all chips that this package knows.
var Chips = []*Chip{&ESP32, &ESP32S2, &ESP32S3, &ESP32C2, &ESP32C3, &ESP32C5, &ESP32C6, &ESP32C61, &ESP32H2, &ESP32P4}

// ChipNamed returns the chip called name ("esp32s3" or "ESP32-S3").
func ChipNamed(name string) (*Chip, error) {
	i := slices.IndexFunc(Chips, func(c *Chip) bool { return c.Name == name || c.Title == name })
	if i < 0 {
		return nil, fmt.Errorf("no chip is called %q: %w", name, UnknownChip)
	}
	return Chips[i], nil
}

// chipByImageID returns the chip with that ID, or nil.
func chipByImageID(id uint16) *Chip {
	i := slices.IndexFunc(Chips, func(c *Chip) bool { return c.ImageID == id })
	if i < 0 {
		return nil
	}
	return Chips[i]
}

// String returns the chip's title.
func (c *Chip) String() string { return c.Title }
