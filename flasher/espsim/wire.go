package espsim

import (
	"encoding/binary"

	"hoptech.co.nz/flashd/flasher/slip"
)

// The framing's delimiter, and the sizes of the protocol's headers in bytes
// (Espressif, serial-protocol.rst).
const (
	slipEnd    = slip.End
	headerSize = 8
	dataHeader = 16 // length, sequence, two zero words, in front of a data payload
)

// The commands that a loader knows.
const (
	opFlashBegin     = 0x02
	opFlashData      = 0x03
	opFlashEnd       = 0x04
	opMemBegin       = 0x05
	opMemEnd         = 0x06
	opMemData        = 0x07
	opSync           = 0x08
	opWriteReg       = 0x09
	opReadReg        = 0x0A
	opSPISetParams   = 0x0B
	opSPIAttach      = 0x0D
	opReadFlashSlow  = 0x0E
	opChangeBaudrate = 0x0F
	opDeflBegin      = 0x10
	opDeflData       = 0x11
	opDeflEnd        = 0x12
	opFlashMD5       = 0x13
	opSecurityInfo   = 0x14
	opAddressBits    = 0x15 // not documented
	opEraseFlash     = 0xD0
	opEraseRegion    = 0xD1
	opReadFlash      = 0xD2
	opRunUserCode    = 0xD3
	opPluginFirst    = 0xD5
	opPluginLast     = 0xEF
)

// request is one command of the host.
type request struct {
	direction uint8 // 0 is from the host
	op        uint8
	length    int // of the data, as the header says
	checksum  uint32
	data      []byte
}

// word returns the i-th little-endian word of the data; the caller knows that
// it is there.
func (r *request) word(i int) uint32 { return binary.LittleEndian.Uint32(r.data[4*i:]) }

// payload is what stands behind the data header.
func (r *request) payload() []byte { return r.data[dataHeader:] }

// sum is the checksum over the payload of a data command.
func sum(p []byte) uint8 {
	sum := uint8(0xEF)
	for _, b := range p {
		sum ^= b
	}
	return sum
}

// sendFrame sends a frame as it is.
func (c *Chip) sendFrame(payload []byte) error {
	return c.transmit(slip.Append(nil, payload))
}

// response builds the reply to a command.
func response(op uint8, value uint32, data, status []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(data)+len(status))
	b[0], b[1] = 1, op
	binary.LittleEndian.PutUint16(b[2:], uint16(len(data)+len(status)))
	binary.LittleEndian.PutUint32(b[4:], value)
	return append(append(b, data...), status...)
}

// securityInfo is the answer to GET_SECURITY_INFO: flags, the count of flash
// encryption, seven key purposes, then, where the chip has it, chip ID and API
// version. The seventh purpose is that of a block that holds no key: 12.
func (c *Chip) securityInfo() []byte {
	b := make([]byte, 20)
	var flags uint32
	if c.cfg.Security.SecureBoot {
		flags |= 1 << 0
	}
	if c.cfg.Security.SecureDownload {
		flags |= 1 << 2
	}
	binary.LittleEndian.PutUint32(b, flags)
	if c.cfg.Security.FlashEncryption {
		b[4] = 1
	}
	b[11] = 12
	binary.LittleEndian.PutUint32(b[12:], uint32(c.model.ChipID))
	binary.LittleEndian.PutUint32(b[16:], c.model.ROM.APIVersion)
	return b[:c.model.SecurityInfo]
}

// strike counts a command and carries out the faults that are due at it. It
// reports whether the command is to be refused, with which code, and whether
// its answer is to be lost.
func (c *Chip) strike(op uint8) (rejected bool, code uint32, silent bool, err error) {
	c.mu.Lock()
	c.stats.Commands++
	due := c.faults.atCommand(op)
	c.mu.Unlock()
	for _, f := range due {
		switch f.Kind {
		case Stall:
			err = c.busy(f.For)
		case Silence:
			silent = true
		case Reject:
			rejected, code = true, f.Value
		case DetachCommand:
			c.Unplug()
			err = errCut
		case BrownOut:
			err = restart{resetBrownOut}
		}
		if err != nil {
			return false, 0, false, err
		}
	}
	return rejected, code, silent, nil
}
