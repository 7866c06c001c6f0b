package flasher

import (
	"context"
	"fmt"
)

// Commands of flash chips (JEDEC JESD216, and their data sheets).
const (
	readID       = 0x9F
	readSFDP     = 0x5A // 24 bits of address and 8 dummy clocks
	resetEnable  = 0x66
	resetFlash   = 0x99
	powerDown    = 0xB9
	releasePower = 0xAB
)

// spiBus is a chip's SPI controller while the host uses it: it sends commands
// of its own to the flash chip (loader.py run_spiflash_command).
type spiBus struct {
	d           *Device
	user, user2 uint32 // as they were
}

// onSPIBus runs do with the controller. Its user registers are put back as they
// were: the ROM's own flash routines rely on them.
func (d *Device) onSPIBus(ctx context.Context, do func(spiBus) error) error {
	r := d.chip.spi
	user, err := d.readReg(ctx, r.user)
	if err != nil {
		return err
	}
	user2, err := d.readReg(ctx, r.user2)
	if err != nil {
		return err
	}
	if err := do(spiBus{d, user, user2}); err != nil {
		return err
	}
	return d.writeRegs(ctx, regWrite{r.user, user}, regWrite{r.user2, user2})
}

// Flags of the controller's registers.
const (
	spiCommand    = 1 << 31 // USER: send a command …
	spiAddress    = 1 << 30 // … an address …
	spiDummy      = 1 << 29 // … clocks for nothing …
	spiRead       = 1 << 28 // … and read an answer
	spiByteOpcode = 7 << 28 // USER2: 8 bits of command
	spiSFDPFormat = 23<<26 | 7
	spiStart      = 1 << 18 // CMD: run what USER describes
)

// send sends a command that is all of a message.
func (b spiBus) send(ctx context.Context, opcode uint32) error {
	r := b.d.chip.spi
	return b.run(ctx, opcode, regWrite{r.user, spiCommand})
}

// id is the flash chip's ID.
func (b spiBus) id(ctx context.Context) (FlashID, error) {
	r := b.d.chip.spi
	value, err := b.ask(ctx, readID, 24, regWrite{r.user, spiCommand | spiRead})
	return FlashID(value), err
}

// sfdp reads a byte of the flash chip's table of parameters.
func (b spiBus) sfdp(ctx context.Context, at uint32) (byte, error) {
	r := b.d.chip.spi
	if r.addressOnTop {
		at <<= 8
	}
	value, err := b.ask(ctx, readSFDP, 8, regWrite{r.user, spiCommand | spiAddress | spiDummy | spiRead},
		regWrite{r.user1, spiSFDPFormat}, regWrite{r.address, at})
	return byte(value), err
}

// ask runs a command and returns its answer of up to 32 bits.
func (b spiBus) ask(ctx context.Context, opcode, bits uint32, set ...regWrite) (uint32, error) {
	r := b.d.chip.spi
	if err := b.run(ctx, opcode, append(set, regWrite{r.misoLen, bits - 1}, regWrite{r.w0, 0})...); err != nil {
		return 0, err
	}
	value, err := b.d.readReg(ctx, r.w0)
	return value & (1<<bits - 1), err
}

// run sets up the controller, starts it and waits until it has finished.
func (b spiBus) run(ctx context.Context, opcode uint32, set ...regWrite) error {
	r := b.d.chip.spi
	if err := b.d.writeRegs(ctx, append(set, regWrite{r.user2, spiByteOpcode | opcode}, regWrite{r.cmd, spiStart})...); err != nil {
		return err
	}
	for range 10 { // it has finished by the time the first question reaches it
		cmd, err := b.d.readReg(ctx, r.cmd)
		if err != nil || cmd&spiStart == 0 {
			return err
		}
	}
	return &Error{Kind: BadFlash, Err: fmt.Errorf("the SPI controller does not finish")}
}
