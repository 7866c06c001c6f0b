package espsim

import (
	"encoding/binary"
	"time"
)

// The stub's status codes (esp-flasher-stub v1.1.0, commands.h), sent with the
// high byte first.
const (
	stubOK             = 0x0000
	stubBadLength      = 0xC000
	stubBadChecksum    = 0xC100
	stubInvalidCommand = 0xC300
	stubFlashFailed    = 0xC400
	stubNotInFlashMode = 0xC600
	stubInflateError   = 0xC700
	stubNotEnoughData  = 0xC800
	stubTooMuchData    = 0xC900
	stubNotImplemented = 0xFF00
)

// stub is Espressif's flasher stub at work.
type stub struct {
	c      *Chip
	frames frameBuffers

	mem   stubTransfer
	write stubWrite
	// later is what a command leaves to be done behind its acknowledgement, and
	// owed the code of the last such work if it failed: the next command is
	// answered with it and not carried out.
	later func(*request) (uint32, error)
	owed  uint32

	flashSize uint32    // by the flash's ID, then by SPI_SET_PARAMS
	flashBusy time.Time // until when an erase that was started keeps the flash busy
}

type stubTransfer struct {
	active             bool
	remaining, address uint32
}

// runStub is the stub until a reset.
func (c *Chip) runStub() error {
	c.cpu.flash.pins = c.model.FlashPins // as the efuses say
	c.addressByStub()
	s := &stub{c: c, flashSize: 1 << (c.flashID() >> 16 & 0x1F)}
	s.frames.dropped = &c.stats.Dropped
	s.frames.allocate(c.maxFrame(stubBuffer))
	s.frames.batch, s.frames.burst = c.batch(), &c.burst
	defer func() { s.write.inflate.close() }()
	if c.cfg.Wiring == USBSerialJTAG {
		c.cpu.dog.start(0) // stub_lib_clock_disable_watchdogs
	}
	s.frames.arm()
	if err := c.sendFrame([]byte("OHAI")); err != nil {
		return err
	}
	c.enter(Stub)
	for {
		frame, err := s.await()
		if err != nil {
			return err
		}
		if err := s.handle(frame); err != nil {
			return err
		}
		s.release()
	}
}

// batch is how many bytes the stub's receive interrupt takes at once.
func (c *Chip) batch() int {
	switch t := &c.cfg.Timing; {
	case c.cfg.Wiring.usb() && t.USBRate > 0:
		return usbBatch
	case !c.cfg.Wiring.usb() && t.UART:
		return uartBatch
	}
	return 0
}

// await waits for the next good frame, which stays in its buffer until release.
func (s *stub) await() ([]byte, error) {
	for {
		data, bad, ok := s.frames.poll()
		switch {
		case bad:
			s.release()
		case ok:
			return data, nil
		default:
			if err := s.c.awaitInput(&s.frames); err != nil {
				return nil, err
			}
		}
	}
}

// release frees the frame's buffer, after the interrupt has dealt with what
// arrived while it was in use.
func (s *stub) release() {
	s.c.interruptInput(&s.frames)
	s.frames.release()
}

// handle is one turn of the stub's dispatcher. Of a frame that is shorter than a
// header the rest is what the buffer held before.
func (s *stub) handle(frame []byte) error {
	head := frame[:headerSize]
	op := head[1]
	switch {
	case head[0] != 0:
		return s.answer(op, stubInvalidCommand, 0, nil)
	case len(frame) != headerSize+int(binary.LittleEndian.Uint16(head[2:])):
		return s.answer(op, stubBadLength, 0, nil)
	}
	q := &request{op: op, checksum: binary.LittleEndian.Uint32(head[4:]), data: frame[headerSize:]}
	rejected, code, silent, err := s.c.strike(op)
	if err != nil {
		return err
	}
	if silent {
		s.c.cpu.muted = true
		defer func() { s.c.cpu.muted = false }()
	}
	switch {
	case rejected:
		return s.answer(op, code, 0, nil)
	case s.owed != stubOK:
		code, s.owed = s.owed, stubOK
		return s.answer(op, code, 0, nil)
	case op == opRunUserCode:
		return nil // no answer, and the stub stays
	}
	return s.carryOut(q)
}

// carryOut runs a command: answer first, then the work it left for later.
func (s *stub) carryOut(q *request) error {
	code, value, data, err := uint32(stubInvalidCommand), uint32(0), []byte(nil), error(nil)
	if command := stubCommandFor(q.op); command != nil {
		code, value, data, err = command(s, q)
	}
	if err != nil {
		return err
	}
	if code != stubOK {
		s.later = nil
		return s.answer(q.op, code, 0, nil)
	}
	if err := s.answer(q.op, stubOK, value, data); err != nil {
		return err
	}
	if work := s.later; work != nil {
		s.later = nil
		s.owed, err = work(q)
	}
	return err
}

func (s *stub) answer(op uint8, code, value uint32, data []byte) error {
	return s.c.sendFrame(response(op, value, data, []byte{byte(code >> 8), byte(code)}))
}
