package flasher

import (
	"context"
	"fmt"
)

// FlashID is the flash chip's answer to RDID (9F): manufacturer, memory type
// and capacity, one byte each, manufacturer in the lowest.
type FlashID uint32

// Size returns the capacity in bytes, or 0 if the ID does not tell or cannot be
// one: a line that is stuck reads as all zeros or all ones.
func (id FlashID) Size() int {
	if maker := id & 0xFF; maker == 0 || maker == 0xFF {
		return 0
	}
	capacity := uint(id >> 16 & 0xFF)
	const adesto = 0x1F // counts in the low five bits of the type byte
	if id&0xFF == adesto {
		capacity = uint(id>>8&0x1F) + 0x0F // 4 → 512 KiB
	}
	// Capacity bytes in use (esptool DETECTED_FLASH_SIZES).
	switch {
	case capacity >= 0x12 && capacity <= 0x1C: // 256 KiB to 256 MiB, as JEDEC has it: 1 << n
		return 1 << capacity
	case capacity >= 0x20 && capacity <= 0x22: // 64 to 256 MiB
		return 1 << (capacity - 6)
	case capacity >= 0x32 && capacity <= 0x3A: // 256 KiB to 64 MiB
		return 1 << (capacity - 0x20)
	default:
		return 0
	}
}

// String returns the ID as data sheets write it: "ef 4017".
func (id FlashID) String() string {
	return fmt.Sprintf("%02x %02x%02x", uint8(id), uint8(id>>8), uint8(id>>16))
}

// AttachFlash connects the flash chip to the loader, reads its ID, and tells
// the loader its size.
func (d *Device) AttachFlash(ctx context.Context) error {
	for {
		stub := d.stub
		err := opError("attach flash", d.attachFlash(ctx))
		if err == nil {
			return nil
		}
		if err = d.fallBack(ctx, err); err == nil {
			err = d.restart(ctx, stub)
		}
		if err != nil {
			return err
		}
	}
}

func (d *Device) attachFlash(ctx context.Context) error {
	if err := d.attachPins(ctx); err != nil {
		return err
	}
	if !d.security.SecureDownload {
		if err := d.wakeFlash(ctx); err != nil {
			return err
		}
	}
	size := d.flashSize()
	if size == 0 {
		return &Error{Kind: BadFlash, Err: fmt.Errorf("the flash chip says that it is %q, which is no flash chip: it is missing, damaged or badly soldered", d.flash)}
	}
	if err := d.leaveDeafStub(ctx); err != nil {
		return err
	}
	params := []uint32{0, uint32(size), BlockSize, SectorSize, flashPage, 0xFFFF}
	if d.unguarded() {
		// Said twice, since the loader erases by them: the second time overrides.
		if err := d.simple(ctx, SPISetParams, defaultTimeout, params...); err != nil {
			return err
		}
	}
	return d.simple(ctx, SPISetParams, defaultTimeout, params...)
}

// attachPins has a ROM connect the flash chip. The stub has done so when it
// started, by the efuses; told to use the default pins it would lose a flash
// chip that sits in the chip's own package (esp-flasher-stub e322dc3).
func (d *Device) attachPins(ctx context.Context) error {
	if d.stub {
		return nil
	}
	pins := uint32(0) // the default ones
	if d.chip.flashPins != nil {
		var err error
		if pins, err = d.chip.flashPins(d.reader(ctx)); err != nil {
			return err
		}
	}
	return d.simple(ctx, SPIAttach, defaultTimeout, pins, 0)
}

// Sizes of the units of a NOR flash, in bytes.
const (
	SectorSize = 4 << 10  // the least that can be erased
	BlockSize  = 64 << 10 // erased at once where it is whole
	flashPage  = 256      // programmed at once
)
