package usbip

import "encoding/binary"

// modem is what class requests act on: the chip's side of the lines.
type modem interface {
	setLines(dtr, rts bool)
	setBaud(baud int)
	discardInput()
}

// classRequests understands a device's own requests; false stalls one.
type classRequests interface {
	control(m modem, s setup, data []byte) ([]byte, bool)
}

// acm is the abstract control model of the communications device class (USB
// PSTN 1.2, section 6.3).
type acm struct{ coding [7]byte }

func (a *acm) control(m modem, s setup, data []byte) ([]byte, bool) {
	const (
		setLineCoding       = 0x20
		getLineCoding       = 0x21
		setControlLineState = 0x22
		sendBreak           = 0x23
	)
	switch s.request {
	case setLineCoding:
		if copy(a.coding[:], data) < len(a.coding) {
			return nil, false
		}
		m.setBaud(int(binary.LittleEndian.Uint32(a.coding[:])))
	case getLineCoding:
		return a.coding[:], true
	case setControlLineState:
		m.setLines(s.value&1 != 0, s.value&2 != 0)
	case sendBreak:
	default:
		return nil, false
	}
	return nil, true
}

// acmBody is a communications interface and its data interface.
var acmBody = []byte{
	8, 11, 0, 2, 2, 2, 0, 0, // these two belong together
	9, 4, 0, 0, 1, 2, 2, 0, 0,
	5, 0x24, 0, 0x10, 1,
	5, 0x24, 1, 0, 1,
	4, 0x24, 2, 2, // line coding and line state
	5, 0x24, 6, 0, 1,
	7, 5, 0x82, 3, 64, 0, 1,
	9, 4, 1, 0, 2, 10, 0, 0, 0,
	7, 5, 0x01, 2, 64, 0, 1,
	7, 5, 0x81, 2, 64, 0, 1,
}

// jtagBody is the JTAG interface beside it.
var jtagBody = []byte{
	9, 4, 2, 0, 2, 0xFF, 0xFF, 1, 0,
	7, 5, 0x02, 2, 64, 0, 1,
	7, 5, 0x83, 2, 64, 0, 1,
}
