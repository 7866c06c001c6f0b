package espsim

import (
	"encoding/binary"
	"maps"
	"time"
)

// memory is the chip's address space as the loaders' READ_REG, WRITE_REG and
// MEM_DATA see it: RAM that holds what was written, and the registers that mean
// something here.
type memory struct {
	words map[uint32]uint32
	code  []span // what MEM_DATA loaded since the reset
}

// span is the addresses from begin up to end, exclusive.
type span struct{ begin, end uint32 }

// reset leaves registers with the values that they start with.
func (m *memory) reset(registers map[uint32]uint32) {
	*m = memory{words: map[uint32]uint32{}}
	maps.Copy(m.words, registers)
}

// load puts bytes at an address.
func (m *memory) load(address uint32, data []byte) {
	for i, b := range data {
		a := address + uint32(i)
		shift := 8 * (a & 3)
		m.words[a&^3] = m.words[a&^3]&^(0xFF<<shift) | uint32(b)<<shift
	}
	m.code = append(m.code, span{address, address + uint32(len(data))})
}

// loaded reports whether MEM_DATA put something at an address.
func (m *memory) loaded(address uint32) bool {
	for _, s := range m.code {
		if address >= s.begin && address < s.end {
			return true
		}
	}
	return false
}

// mapped reports whether there may be something at an address: on none of the chips is
// anything below 0x20000000 (their technical reference manuals, "System and Memory").
func mapped(address uint32) bool { return address >= 0x20000000 }

// romMagic is where every ROM holds a word that differs between chips
// (esptool, CHIP_DETECT_MAGIC_REG_ADDR).
const romMagic = 0x40001000

// readRegister returns the word at an address. Every address answers.
func (c *Chip) readRegister(address uint32) uint32 {
	m := c.model
	switch address {
	case 0: // what models use for registers that they do not have
		return c.cpu.mem.words[0]
	case romMagic:
		return m.Magic
	case m.UARTClockDivider:
		c.mu.Lock()
		defer c.mu.Unlock()
		return uint32(m.Crystal / c.baud)
	case m.Straps.Register:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.reset.strapLow {
			return m.Straps.Download
		}
		return m.Straps.Flash
	case m.Straps.ForceDownload.Address:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.reset.forced {
			return m.Straps.ForceDownload.Mask
		}
		return 0
	case m.Console.Address:
		switch c.cfg.Wiring {
		case USBSerialJTAG:
			return m.Console.USBSerialJTAG
		case USBOTG:
			return m.Console.USBOTG
		}
		return 0
	}
	if v, ok := c.fuse(address); ok {
		return v
	}
	return c.cpu.mem.words[address]
}

// writeRegister writes a word with what it sets off.
func (c *Chip) writeRegister(address, value uint32) error {
	m := c.model
	if _, fuse := c.fuse(address); fuse {
		return nil // read-only
	}
	switch address {
	case 0, m.UARTClockDivider, m.Straps.Register, romMagic:
		return nil
	case m.Straps.ForceDownload.Address:
		c.mu.Lock()
		c.reset.forced = value&m.Straps.ForceDownload.Mask != 0
		c.mu.Unlock()
		return nil
	}
	c.cpu.mem.words[address] = value
	switch address {
	case m.SPI.Base:
		if value&spiUserCommand != 0 {
			c.cpu.mem.words[address] = value &^ spiUserCommand
			return c.runFlashCommand()
		}
	case m.Watchdog.Config0:
		c.configureWatchdog(value)
	}
	return nil
}

// configureWatchdog follows the RTC watchdog's enable bit (31) and its first
// stage (bits 28 to 30; 0 is off), if its registers are unlocked.
func (c *Chip) configureWatchdog(config uint32) {
	w := &c.model.Watchdog
	if w.Config0 == 0 || c.cpu.mem.words[w.Protect] != watchdogKey {
		return
	}
	if config>>31 == 0 || config>>28&7 == 0 {
		c.cpu.dog.start(0)
		return
	}
	ticks := c.cpu.mem.words[w.Config1]
	c.cpu.dog.start(time.Duration(ticks) * time.Second / slowClock)
}

// fuse returns the word of fuses at an address.
func (c *Chip) fuse(address uint32) (uint32, bool) {
	e := &c.model.Efuses
	mac := c.cfg.MAC
	v, known := e.Words[address]
	switch address {
	case e.MAC:
		v, known = binary.BigEndian.Uint32(mac[2:]), true
	case e.MAC + 4:
		v, known = uint32(e.BesideMAC)<<16|uint32(binary.BigEndian.Uint16(mac[:])), true
		if e.MACCRC {
			v |= uint32(c.macCRC()) << 16
		}
	}
	for _, s := range []struct {
		on  bool
		bit Bits
	}{{c.cfg.Security.SecureBoot, e.SecureBoot}, {c.cfg.Security.FlashEncryption, e.FlashEncryption}} {
		if address == s.bit.Address && s.bit.Mask != 0 {
			known = true
			if s.on {
				v |= s.bit.Mask
			}
		}
	}
	return v, known
}

// macCRC is the CRC that the factory burns beside an ESP32's MAC: Dallas
// CRC-8, polynomial 0x8C reflected, start 0 (ESP32 ROM, esp_crc8).
func (c *Chip) macCRC() uint8 {
	var crc uint8
	for _, b := range c.cfg.MAC {
		crc ^= b
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8C
			} else {
				crc >>= 1
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults.has(WrongMACCRC) {
		crc = ^crc
	}
	return crc
}
