package espsim

import (
	"fmt"
	"time"
)

// transfer is a download under way.
type transfer struct {
	size, blocks, blockSize, address uint32
	next                             uint32 // sequence number expected
	written                          uint32 // bytes so far
	encrypted                        bool
}

// begin reads the words of a BEGIN command.
func (t *transfer) begin(q *request) {
	*t = transfer{size: q.word(0), blocks: q.word(1), blockSize: q.word(2), address: q.word(3)}
}

// expect checks a data block against its transfer, as the ROM does: a wrong
// sequence number leaves the transfer as it was; a bad checksum loses the block,
// since the next number is expected afterwards. More blocks than announced are
// welcome. Of the checksum only the lowest byte counts.
func (r *rom) expect(t *transfer, q *request, aligned bool) (failed bool) {
	n := q.word(0)
	switch {
	case q.length > dataHeader+romMaxBlock:
		return r.refuse(romInvalid)
	case q.word(1) != t.next || n > t.blockSize || aligned && n%4 != 0:
		return r.refuse(romInvalid)
	}
	t.next++
	if sum(q.payload()[:n]) != uint8(q.checksum) {
		return r.refuse(romBadChecksum)
	}
	return false
}

// advance moves a transfer behind a block of n bytes. A block that was lost to its
// checksum leaves no gap: the next one takes its place.
func (t *transfer) advance(n uint32) {
	t.written += n
	t.address += n
}

func (r *rom) memBegin(q *request) bool {
	if q.length != 16 || q.word(2) > romMaxBlock {
		return r.refuse(romInvalid)
	}
	r.plain.begin(q)
	return false
}

func (r *rom) memData(q *request) (int, bool, error) {
	if r.expect(&r.plain, q, false) {
		return 0, true, nil
	}
	n := q.word(0)
	if n > 0 && !mapped(r.plain.address) {
		return 0, false, r.c.trap(r.c.model.ROM.StoreFault)
	}
	r.c.cpu.mem.load(r.plain.address, q.payload()[:n])
	r.plain.advance(n)
	return 0, false, nil
}

// memEnd leaves for the program that was uploaded, unless told to stay.
func (r *rom) memEnd(q *request) bool {
	if q.length > 8 {
		return r.refuse(romInvalid)
	}
	r.leaving = q.data[0] == 0
	return false
}

// trap is a program that touches what is not there. Some ROMs say so, in words of
// their own.
func (c *Chip) trap(fault string) error {
	if fault != "" {
		if err := c.print(fmt.Sprintf("Guru Meditation Error: Core 0 panic'ed (%s)", fault)); err != nil {
			return err
		}
	}
	return c.lost()
}

// writeReg ignores what does not fill an entry.
func (r *rom) writeReg(q *request) (int, bool, error) {
	entries := min(q.length, len(q.data)) / 16
	return 0, r.succeed(), r.c.writeRegisters(&request{data: q.data[:16*entries]})
}

// writeRegisters carries out the entries of a WRITE_REG: address, value, mask,
// and a delay in microseconds before.
func (c *Chip) writeRegisters(q *request) error {
	for i := 0; i < len(q.data)/4; i += 4 {
		address, value, mask := q.word(i), q.word(i+1), q.word(i+2)
		if err := c.busy(time.Duration(q.word(i+3)) * time.Microsecond); err != nil {
			return err
		}
		if !mapped(address) {
			return c.trap(c.model.ROM.LoadFault)
		}
		value &= mask
		if mask != 0xFFFFFFFF {
			value |= c.readRegister(address) &^ mask
		}
		if err := c.writeRegister(address, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *rom) readReg(q *request) (int, bool, error) {
	if !mapped(q.word(0)) {
		return 0, false, r.c.trap(r.c.model.ROM.LoadFault)
	}
	r.setValue(r.c.readRegister(q.word(0)))
	return 0, r.succeed(), nil
}

// changeBaud works out a rate; leave sets it behind the answer. With a second
// parameter, which is for the stub, the first is taken for the divider itself,
// in sixteenths.
func (r *rom) changeBaud(q *request) (int, bool, error) {
	n, crystal := q.word(0), r.c.model.Crystal
	switch {
	case q.data[4] != 0 && n == 0:
		r.baud = 0
	case q.data[4] != 0:
		r.baud = max(crystal*16/int(n), 1)
	case n == 0 && r.c.model.ROM.DivisionTraps:
		return 0, false, r.c.lost()
	case n == 0:
		r.baud = crystal / 0xFFF // the divider is all ones, of which 12 bits are used
	default:
		r.baud = r.c.romBaud(n)
	}
	return 0, r.succeed(), nil
}

// leave does what a command leaves to be done behind its answer: another rate,
// another program, a reset. In front of the first and the last the ROM sends
// two ENDs.
func (r *rom) leave(q *request) error {
	switch {
	case q.op == opChangeBaudrate && r.baud != 0:
		if err := r.c.transmit([]byte{slipEnd, slipEnd}); err != nil {
			return err
		}
		return r.c.setBaud(r.baud)
	case r.rebooting:
		if err := r.c.transmit([]byte{slipEnd, slipEnd}); err != nil {
			return err
		}
		return r.reboot()
	case !r.leaving:
		return nil
	case r.c.cfg.Security.SecureDownload, r.c.cfg.Security.SecureBoot && r.c.model.ROM.StartsNothing:
		return r.reboot()
	case q.op == opMemEnd && q.word(1) != 0:
		return r.c.startProgram(q.word(1))
	}
	if err := r.c.print(r.c.model.Log.LeftLoader); err != nil {
		return err
	}
	return r.c.lost()
}

// reboot is a software reset behind the last bit of the answer. The straps
// stay as they were found.
func (r *rom) reboot() error {
	if err := r.c.flush(); err != nil {
		return err
	}
	return restart{resetBySoft}
}
