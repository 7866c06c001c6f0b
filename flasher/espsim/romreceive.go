package espsim

import (
	"cmp"
	"encoding/binary"

	"hoptech.co.nz/flashd/flasher/slip"
)

const (
	// romFrame is the ROM's buffer for one frame, in bytes; what is longer is cut
	// off without a word.
	romFrame = 0x2000
	// romRing is the ROM's ring for received bytes where the ROM itself is not
	// known (ESP-IDF, esp_rom/*/rom/uart.h, RX_BUFF_SIZE).
	romRing = 0x400
)

// romReceiver is how a ROM takes in what comes (recv_packet and
// uart_rx_intr_handler). An interrupt puts the bytes of a UART into a ring and
// overwrites the oldest when it is full; bytes of a USB console wait at the host.
type romReceiver struct {
	ring     []byte
	ringSize int
	dropped  *int64

	frame [romFrame]byte // keeps what earlier frames left behind a shorter one
	n     int
	max   int
	state receiveState
}

func newROMReceiver(c *Chip) romReceiver {
	return romReceiver{
		ringSize: cmp.Or(c.model.ROM.Ring, romRing),
		dropped:  &c.stats.Dropped,
		max:      c.maxFrame(romFrame),
	}
}

// maxFrameOTG is the longest frame that the USB-OTG console takes: a data
// block of 0x800 bytes with its headers (esptool, USB_RAM_BLOCK).
const maxFrameOTG = headerSize + dataHeader + 0x800

// maxFrame is the longest frame that a loader with a buffer of n bytes takes.
func (c *Chip) maxFrame(n int) int {
	if c.cfg.Wiring == USBOTG {
		return min(n, maxFrameOTG)
	}
	return n
}

// next waits for a whole frame.
func (r *romReceiver) next(c *Chip) error {
	for i, b := range r.ring {
		if r.byte(b) {
			r.ring = r.ring[i+1:]
			return nil
		}
	}
	r.ring = r.ring[:0]
	return c.awaitInput(r)
}

// byte implements sink: it takes frames apart. The END that closes a frame does not
// open the next one, and an END in front of nothing changes nothing.
func (r *romReceiver) byte(b byte) (complete bool) {
	switch {
	case r.state == noFrame:
		if b == slip.End {
			r.state, r.n = inFrame, 0
		}
	case r.state == escaping:
		r.state = inFrame
		switch b {
		case slip.EscEnd:
			b = slip.End
		case slip.EscEsc:
			b = slip.Esc
		}
		r.put(b)
	case b == slip.End:
		if r.n > 0 {
			r.state = noFrame
			return true
		}
	case b == slip.Esc:
		r.state = escaping
	default:
		r.put(b)
	}
	return false
}

func (r *romReceiver) put(b byte) {
	if r.n < r.max {
		r.frame[r.n] = b
		r.n++
	}
}

// catchUp is the interrupt, while the loader was busy.
func (r *romReceiver) catchUp(c *Chip) {
	if !c.cfg.Wiring.usb() {
		c.interruptInput((*romRingSink)(r))
	}
}

// romRingSink is the receive interrupt's side of a romReceiver.
type romRingSink romReceiver

// byte implements sink. A ring that has just been filled looks empty.
func (r *romRingSink) byte(b byte) bool {
	r.ring = append(r.ring, b)
	if len(r.ring) == r.ringSize {
		*r.dropped += int64(r.ringSize)
		r.ring = r.ring[:0]
	}
	return false
}

// request is the frame as commands see it: its length is what its header says.
func (r *romReceiver) request() *request {
	return &request{
		direction: r.frame[0],
		op:        r.frame[1],
		length:    int(binary.LittleEndian.Uint16(r.frame[2:])),
		checksum:  binary.LittleEndian.Uint32(r.frame[4:]),
		data:      r.frame[headerSize:],
	}
}
