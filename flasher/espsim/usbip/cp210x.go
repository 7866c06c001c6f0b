package usbip

import "encoding/binary"

// cp2102 is Silicon Labs' bridge (AN571, "CP210x Virtual COM Port Interface").
type cp2102 struct {
	baud     uint32
	dtr, rts bool
	lineCtl  uint16 // LINE_CTL: data bits, parity, stop bits
	flow     [16]byte
}

func newCP2102() *cp2102 { return &cp2102{baud: 115200, lineCtl: 0x0800} }

func (c *cp2102) control(m modem, s setup, data []byte) ([]byte, bool) {
	if s.kind&0x80 != 0 {
		return c.get(s)
	}
	return nil, c.set(m, s, data)
}

func (c *cp2102) set(m modem, s setup, data []byte) bool {
	const (
		enable      = 0x00
		setLineCtl  = 0x03
		setModem    = 0x07
		purge       = 0x12
		setFlow     = 0x13
		setBaudRate = 0x1E
	)
	switch s.request {
	case enable:
		m.discardInput()
	case setLineCtl:
		c.lineCtl = s.value
	case setModem: // bits 8 and 9 say which of bits 0 (DTR) and 1 (RTS) count
		if s.value&0x100 != 0 {
			c.dtr = s.value&1 != 0
		}
		if s.value&0x200 != 0 {
			c.rts = s.value&2 != 0
		}
		m.setLines(c.dtr, c.rts)
	case purge:
		m.discardInput()
	case setFlow: // says also how DTR (bits 0-1) and RTS (bits 6-7) are driven
		if copy(c.flow[:], data) < len(c.flow) {
			return false
		}
		c.dtr = data[0]&3 == 1
		c.rts = data[4]>>6 == 1
		m.setLines(c.dtr, c.rts)
	case setBaudRate:
		if len(data) != 4 {
			return false
		}
		c.baud = binary.LittleEndian.Uint32(data)
		m.setBaud(int(c.baud))
	}
	return true // others (break, characters) are taken and change nothing
}

func (c *cp2102) get(s setup) ([]byte, bool) {
	const (
		getLineCtl     = 0x04
		getModem       = 0x08
		getCommStatus  = 0x10
		getFlow        = 0x14
		getBaudRate    = 0x1D
		vendorSpecific = 0xFF
		partNumber     = 0x370B // of vendorSpecific
	)
	switch {
	case s.request == getLineCtl:
		return binary.LittleEndian.AppendUint16(nil, c.lineCtl), true
	case s.request == getModem:
		return []byte{0xB0 | bit(c.dtr, 0) | bit(c.rts, 1)}, true // CTS, DSR and DCD are asserted
	case s.request == getCommStatus:
		return make([]byte, 19), true
	case s.request == getFlow:
		return c.flow[:], true
	case s.request == getBaudRate:
		return binary.LittleEndian.AppendUint32(nil, c.baud), true
	case s.request == vendorSpecific && s.value == partNumber:
		return []byte{0x02}, true
	default:
		return nil, false
	}
}

func bit(set bool, n uint) byte {
	if set {
		return 1 << n
	}
	return 0
}

// cp2102Body is one interface with two endpoints.
var cp2102Body = []byte{
	9, 4, 0, 0, 2, 0xFF, 0, 0, 2,
	7, 5, 0x81, 2, 64, 0, 0,
	7, 5, 0x01, 2, 64, 0, 0,
}
