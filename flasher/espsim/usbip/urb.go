package usbip

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Commands of the protocol, and the answers to them.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
)

// Status of an URB: Linux's error numbers, negated.
const (
	ok         = 0
	stalled    = -32  // EPIPE
	broken     = -71  // EPROTO: the device does not answer the bus
	unlinked   = -104 // ECONNRESET
	headerSize = 48   // of every message, all fields big-endian but the setup packet
)

// maxTransfer bounds what an URB may carry, in bytes. The drivers ask for at
// most 4 KiB; a kernel asks for 64 KiB at most of a serial device.
const maxTransfer = 1 << 20

// setup is a control request, as USB 2.0 section 9.3 has it.
type setup struct {
	kind, request        uint8
	value, index, length uint16
}

// urb is a transfer that the kernel asks for.
type urb struct {
	command  uint32
	sequence uint32
	in       bool // device to host
	endpoint uint8
	length   int // of the data, or the most that is wanted
	setup    setup
	data     []byte // host to device
	victim   uint32 // of an unlink: the sequence number to take back
}

// readURB reads the kernel's next message.
func readURB(r io.Reader) (urb, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return urb{}, err
	}
	be, le := binary.BigEndian, binary.LittleEndian
	u := urb{
		command: be.Uint32(h[0:]), sequence: be.Uint32(h[4:]),
		in: be.Uint32(h[12:]) == 1, endpoint: uint8(be.Uint32(h[16:])),
	}
	switch u.command {
	case cmdUnlink:
		u.victim = be.Uint32(h[20:])
		return u, nil
	case cmdSubmit:
	default:
		return urb{}, fmt.Errorf("usbip: unknown command %#x", u.command)
	}
	u.length = int(int32(be.Uint32(h[24:])))
	if u.length < 0 || u.length > maxTransfer {
		return urb{}, fmt.Errorf("usbip: transfer of %d bytes", u.length)
	}
	u.setup = setup{kind: h[40], request: h[41], value: le.Uint16(h[42:]), index: le.Uint16(h[44:]), length: le.Uint16(h[46:])}
	if !u.in && u.length > 0 {
		u.data = make([]byte, u.length)
		if _, err := io.ReadFull(r, u.data); err != nil {
			return urb{}, err
		}
	}
	return u, nil
}

// answer is the message that ends an URB: with data that went to the host, or
// as many bytes as the device took.
func (u urb) answer(status, actual int, data []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(data))
	be := binary.BigEndian
	be.PutUint32(b[0:], retSubmit)
	be.PutUint32(b[4:], u.sequence)
	be.PutUint32(b[20:], uint32(int32(status)))
	be.PutUint32(b[24:], uint32(actual))
	return append(b, data...)
}

// unlinkAnswer is the message that ends an unlink.
func (u urb) unlinkAnswer(status int) []byte {
	b := make([]byte, headerSize)
	be := binary.BigEndian
	be.PutUint32(b[0:], retUnlink)
	be.PutUint32(b[4:], u.sequence)
	be.PutUint32(b[20:], uint32(int32(status)))
	return b
}
