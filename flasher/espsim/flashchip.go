package espsim

// flashChip is what a flash chip remembers beside its content while it has
// power, and how it is reached. It belongs to the chip's goroutine alone.
type flashChip struct {
	pins    uint32 // that the controller is attached to, as in SPI_ATTACH; 0 is the usual ones
	enabled bool   // the command before has enabled a reset
	strange bool   // it is in a mode from which the ROM cannot boot
	xmc     bool   // it is one of XMC …
	woken   int    // … and has had so much of xmcStart, all of which it needs

	status   [3]byte // its status registers; what they protect can be written all the same
	writable bool    // the command before lets them be written

	wide bool // it gets addresses of 32 bits, from a stub that can; else of 24
	deaf bool // it gets nothing from a stub that cannot
}

// newFlashChip is a flash chip as its faults have it.
func newFlashChip(f faults) flashChip {
	return flashChip{strange: f.has(FlashMode), xmc: f.has(XMCStart)}
}

// xmcStart is what starts an XM25QHxxC that has not started with the supply:
// deep and ultra-deep power-down, and out of both (ESP-IDF,
// bootloader_flash_xmc_startup).
var xmcStart = []uint8{0xB9, 0x79, 0xFF, 0xAB}

// note follows the commands that change the chip itself.
func (f *flashChip) note(op uint8) {
	if f.enabled && op == 0x99 {
		f.strange = false
	}
	f.enabled = op == 0x66
	switch op {
	case 0x06, 0x50: // WREN, and its like for a value until the supply goes
		f.writable = true
	case 0x04:
		f.writable = false
	}
	switch {
	case f.woken == len(xmcStart):
	case op == xmcStart[f.woken]:
		f.woken++
	default:
		f.woken = 0
	}
}

// statusRegister reads or writes a status register, or writes two at once (W25Q64JV,
// 8.2.4 and 8.2.5). The flash is never busy.
func (f *flashChip) statusRegister(op uint8, in []byte) byte {
	switch op {
	case 0x05:
		return f.status[0] &^ 3 // busy, writable
	case 0x35:
		return f.status[1]
	case 0x15:
		return f.status[2]
	case 0x01:
		f.writeStatus(f.status[:2], in)
	case 0x31:
		f.writeStatus(f.status[1:2], in)
	case 0x11:
		f.writeStatus(f.status[2:], in)
	}
	return 0
}

func (f *flashChip) writeStatus(registers, in []byte) {
	if f.writable {
		copy(registers, in)
	}
	f.writable = false
}

// started reports whether the chip works.
func (f *flashChip) started() bool { return !f.xmc || f.woken == len(xmcStart) }

// maker is the manufacturer's ID: Winbond's unless it is XMC's.
func (f *flashChip) maker() byte {
	if f.xmc {
		return 0x20
	}
	return 0xEF
}

// id is what the chip answers to RDID beside its size.
func (f *flashChip) id() uint32 {
	if !f.started() {
		return uint32(f.maker()) | 0x80<<8 // of a family that there is not
	}
	return uint32(f.maker()) | 0x40<<8
}

// reachable reports whether the flash has power, and the controller is attached
// to its pins.
func (c *Chip) reachable() bool {
	supply := c.model.FlashSupply
	powered := c.cpu.mem.words[supply.Address]&supply.Mask == c.model.FlashSupplySet
	return powered && c.cpu.flash.pins == c.model.FlashPins
}

// obeys reports whether the flash can be written.
func (c *Chip) obeys() bool { return c.reachable() && c.cpu.flash.started() && !c.cpu.flash.deaf }

// address is what arrives at the flash of an address: commands with 24 bits of it
// wrap around at 16 MiB.
func (f *flashChip) address(at int) int {
	if f.wide {
		return at
	}
	return at & (narrowSize - 1)
}

// narrowSize is how much flash 24 bits of address reach.
const narrowSize = 16 << 20

// addressByStub has the stub choose its commands by the size of the flash: beyond
// 16 MiB those with 32 bits of address, which do nothing at all, without an error,
// on the chips whose ROM has no function for them (esp-stub-lib flash.c
// large_flash_mode, common/src/flash.c stub_target_opiflash_exec_cmd).
func (c *Chip) addressByStub() {
	large := c.flash.size > narrowSize
	c.cpu.flash.wide = large && c.model.LargeFlash
	c.cpu.flash.deaf = large && !c.model.LargeFlash
}
