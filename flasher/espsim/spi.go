package espsim

import (
	"encoding/binary"
	"math/bits"
)

// spiUserCommand in the CMD register starts the transaction that the other
// registers describe (esptool loader.py, run_spiflash_command).
const spiUserCommand = 1 << 18

// runFlashCommand is one user transaction on the flash's SPI bus.
func (c *Chip) runFlashCommand() error {
	r, words := &c.model.SPI, c.cpu.mem.words
	op := uint8(words[r.Base+r.User2])
	address := words[r.Base+0x04]
	if r.AddressOnTop {
		address >>= 8
	}
	address &= 0xFFFFFF
	var in [64]byte
	for i := range 16 {
		binary.LittleEndian.PutUint32(in[4*i:], words[r.Base+r.W0+uint32(4*i)])
	}
	sent := int(words[r.Base+r.MOSILength]+8) / 8
	var out [64]byte
	n, err := c.flashCommand(op, address, in[:min(sent, 64)], out[:])
	// The controller reads as much as it is told to, and leaves the rest.
	n = min(n, int(words[r.Base+r.MISOLength]+8)/8)
	copy(in[:], out[:n])
	for i := 0; i < n; i += 4 {
		words[r.Base+r.W0+uint32(i)] = binary.LittleEndian.Uint32(in[i:])
	}
	return err
}

// flashCommand carries out a command of the flash chip itself and returns how
// many bytes of out it filled. Opcodes: Winbond W25Q64JV datasheet; SFDP is JESD216.
func (c *Chip) flashCommand(op uint8, address uint32, in, out []byte) (int, error) {
	c.cpu.flash.note(op)
	switch op {
	case 0x9F: // RDID
		binary.LittleEndian.PutUint32(out, c.flashID())
		return 4, nil
	case 0x5A: // read SFDP
		copy(out, c.sfdp()[min(int(address), len(c.sfdp())):])
		return 64, nil
	case 0x05, 0x35, 0x15, 0x01, 0x31, 0x11:
		out[0] = c.cpu.flash.statusRegister(op, in)
		return 4, nil
	case 0x4B: // unique ID, behind four dummy bytes
		copy(out[4:], c.cfg.MAC[:])
		return 12, nil
	case 0x03, 0x0B: // read
		c.readFlash(out, int(address))
		return 64, nil
	case 0x02: // page program
		return 0, c.program(int(address), in)
	case 0x20:
		return 0, c.erase(int(address), sectorSize)
	case 0xD8:
		return 0, c.erase(int(address)&^(blockSize-1), blockSize)
	case 0xC7, 0x60:
		return 0, c.eraseChip()
	}
	return 0, nil
}

// flashID is what RDID answers, first byte lowest: Winbond, W25Q, log2 of the
// size. A flash that is missing reads as FF or 00.
func (c *Chip) flashID() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := uint32(bits.Len(uint(c.flash.size))-1) << 16
	f, lies := c.faults.is(FlashID)
	switch {
	case !c.reachable():
		return 0xFFFFFF
	case lies:
		return f.Value
	}
	return c.cpu.flash.id() | size
}

// sfdp is the flash's parameter table: header, the basic table's pointer, one
// vendor table's pointer (whose first byte is the maker, which esptool reads to
// tell counterfeits), and the density.
func (c *Chip) sfdp() []byte {
	t := make([]byte, 0xC0)
	fill(t, 0xFF)
	copy(t[0x00:], "SFDP\x06\x01\x01\xFF")
	copy(t[0x08:], "\x00\x06\x01\x10\x80\x00\x00\xFF")
	copy(t[0x10:], "\xEF\x00\x01\x04\xC0\x00\x00\xFF")
	t[0x10] = c.cpu.flash.maker()
	copy(t[0x80:], "\xE5\x20\xF9\xFF")
	binary.LittleEndian.PutUint32(t[0x84:], uint32(c.flash.size)*8-1)
	return t
}

// program and erase are the flash's two ways to change, with its faults.
func (c *Chip) program(address int, data []byte) error {
	for from := 0; from < len(data); {
		at := c.cpu.flash.address(address + from)
		n := min(sectorSize-at%sectorSize, len(data)-from)
		if c.obeys() && !c.dead(at) {
			if err := c.flash.Program(at, data[from:from+n]); err != nil {
				return err
			}
		}
		from += n
	}
	return nil
}

func (c *Chip) erase(address, n int) error {
	for at := address; at < address+n; at += sectorSize {
		if err := c.eraseSector(c.cpu.flash.address(at)); err != nil {
			return err
		}
	}
	return nil
}

// eraseChip is the one way to change the flash that has no address.
func (c *Chip) eraseChip() error {
	for at := 0; at < c.flash.size; at += sectorSize {
		if err := c.eraseSector(at); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chip) eraseSector(at int) error {
	if !c.obeys() || c.dead(at) {
		return nil
	}
	return c.flash.Erase(at, sectorSize)
}

// readFlash leaves p as it is where nothing reaches the flash.
func (c *Chip) readFlash(p []byte, address int) {
	for from := 0; from < len(p) && !c.cpu.flash.deaf; {
		at := c.cpu.flash.address(address + from)
		n := min(sectorSize-at%sectorSize, len(p)-from)
		c.flash.read(p[from:from+n], at)
		from += n
	}
}

func (c *Chip) dead(address int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults.deadSector(uint32(address % c.flash.size))
}
