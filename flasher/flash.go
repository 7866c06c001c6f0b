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
	if d.chip.powerFlash != nil {
		if err := d.chip.powerFlash(ctx, d); err != nil {
			return err
		}
	}
	attach := []uint32{0} // default pins
	if !d.stub {
		attach = append(attach, 0) // ROMs want a second word
	}
	if err := d.simple(ctx, SPIAttach, defaultTimeout, attach...); err != nil {
		return err
	}
	id, err := d.spiCommand(ctx, rdid, 24)
	if err != nil {
		return err
	}
	d.flash = FlashID(id)
	size := d.flash.Size()
	if size == 0 {
		return &Error{Kind: BadFlash, Err: fmt.Errorf("the flash chip says that it is %q, which is no flash chip: it is missing, damaged or badly soldered", d.flash)}
	}
	return d.simple(ctx, SPISetParams, defaultTimeout, 0, uint32(size), BlockSize, SectorSize, flashPage, 0xFFFF)
}

// Sizes of the units of a NOR flash, in bytes.
const (
	SectorSize = 4 << 10  // the least that can be erased
	BlockSize  = 64 << 10 // erased at once where it is whole
	flashPage  = 256      // programmed at once
)

// rdid is JEDEC's "read identification" of flash chips.
const rdid = 0x9F

// spiCommand has the SPI controller send a command to the flash chip and read
// up to 32 bits back (loader.py run_spiflash_command). The user registers are
// put back as they were: the ROM's own flash routines rely on them.
func (d *Device) spiCommand(ctx context.Context, opcode uint8, readBits uint32) (uint32, error) {
	const (
		userCommand   = 1 << 31 // USR: send a command …
		userMISO      = 1 << 28 // … and read an answer
		commandLength = 7 << 28 // USR2: 8 bits of command
		start         = 1 << 18 // CMD: run what USR describes
	)
	r := d.chip.SPI
	user, err := d.readReg(ctx, r.User)
	if err != nil {
		return 0, err
	}
	user2, err := d.readReg(ctx, r.User2)
	if err != nil {
		return 0, err
	}
	if err := d.writeRegs(ctx, regWrite{r.MISOLen, readBits - 1}, regWrite{r.User, userCommand | userMISO},
		regWrite{r.User2, commandLength | uint32(opcode)}, regWrite{r.W0, 0}, regWrite{r.Cmd, start}); err != nil {
		return 0, err
	}
	if err := d.spiWait(ctx, start); err != nil {
		return 0, err
	}
	value, err := d.readReg(ctx, r.W0)
	if err != nil {
		return 0, err
	}
	return value & (1<<readBits - 1), d.writeRegs(ctx, regWrite{r.User, user}, regWrite{r.User2, user2})
}

// spiWait waits for the controller to finish, which it has by the time the
// first question reaches it.
func (d *Device) spiWait(ctx context.Context, busy uint32) error {
	for range 10 {
		cmd, err := d.readReg(ctx, d.chip.SPI.Cmd)
		if err != nil || cmd&busy == 0 {
			return err
		}
	}
	return &Error{Kind: BadFlash, Err: fmt.Errorf("the SPI controller does not finish")}
}
