package espsim

import (
	"crypto/md5"
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

// stubCommand returns a status code, the value and data of the reply, and an
// error only when the chip was reset meanwhile.
type stubCommand func(*stub, *request) (code, value uint32, data []byte, err error)

// stubCommandFor returns what carries out a command, nil if the stub has none.
func stubCommandFor(op uint8) stubCommand {
	switch op {
	case opSync:
		return (*stub).sync
	case opFlashBegin:
		return (*stub).flashBegin
	case opFlashData:
		return (*stub).flashData
	case opFlashEnd:
		return (*stub).flashEnd
	case opMemBegin:
		return (*stub).memBegin
	case opMemData:
		return (*stub).memData
	case opMemEnd:
		return (*stub).memEnd
	case opWriteReg:
		return (*stub).writeReg
	case opReadReg:
		return (*stub).readReg
	case opSPISetParams:
		return (*stub).setParams
	case opSPIAttach:
		return (*stub).attach
	case opChangeBaudrate:
		return sized(8, (*stub).changeBaud)
	case opDeflBegin:
		return (*stub).deflBegin
	case opDeflData:
		return (*stub).deflData
	case opDeflEnd:
		return (*stub).flashEnd
	case opFlashMD5:
		return (*stub).md5
	case opSecurityInfo:
		return (*stub).securityInfo
	case opEraseFlash:
		return (*stub).eraseFlash
	case opEraseRegion:
		return (*stub).eraseRegion
	case opReadFlash:
		return sized(16, (*stub).readFlash)
	}
	if op >= opPluginFirst && op <= opPluginLast {
		return noPlugin
	}
	return nil
}

// noPlugin answers the commands of plugins, of which none is loaded.
func noPlugin(*stub, *request) (uint32, uint32, []byte, error) {
	return stubNotImplemented, 0, nil, nil
}

// sized is a command of which only the length of the data is checked before
// the acknowledgement.
func sized(n int, later func(*stub, *request) (uint32, error)) stubCommand {
	return func(s *stub, q *request) (uint32, uint32, []byte, error) {
		if len(q.data) != n {
			return stubBadLength, 0, nil, nil
		}
		if later != nil {
			s.later = func(q *request) (uint32, error) { return later(s, q) }
		}
		return stubOK, 0, nil, nil
	}
}

// sync answers eight times; the value 0 tells a host that it talks to a stub.
func (s *stub) sync(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) != 36 {
		return stubBadLength, 0, nil, nil
	}
	for range 7 {
		if err := s.answer(q.op, stubOK, 0, nil); err != nil {
			return 0, 0, nil, err
		}
	}
	return stubOK, 0, nil, nil
}

func (s *stub) memBegin(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) != 16 {
		return stubBadLength, 0, nil, nil
	}
	s.mem = stubTransfer{active: true, remaining: q.word(0), address: q.word(3)}
	return stubOK, 0, nil, nil
}

func (s *stub) memData(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) < dataHeader:
		return stubNotEnoughData, 0, nil, nil
	case !s.mem.active:
		return stubNotInFlashMode, 0, nil, nil
	case s.mem.remaining < q.word(0), int(q.word(0)) != len(q.payload()):
		return stubTooMuchData, 0, nil, nil
	}
	if !mapped(s.mem.address) && len(q.payload()) > 0 {
		return 0, 0, nil, s.c.trap(s.c.model.ROM.StoreFault)
	}
	s.c.cpu.mem.load(s.mem.address, q.payload())
	s.mem.address += q.word(0)
	s.mem.remaining -= q.word(0)
	return stubOK, 0, nil, nil
}

func (s *stub) memEnd(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) != 8:
		return stubBadLength, 0, nil, nil
	case !s.mem.active:
		return stubNotInFlashMode, 0, nil, nil
	}
	s.mem = stubTransfer{}
	s.later = func(q *request) (uint32, error) {
		if q.word(0) != 0 {
			return stubOK, nil
		}
		return stubOK, s.c.startProgram(q.word(1))
	}
	return stubOK, 0, nil, nil
}

func (s *stub) writeReg(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) == 0 || len(q.data)%16 != 0 {
		return stubNotEnoughData, 0, nil, nil
	}
	return stubOK, 0, nil, s.c.writeRegisters(q)
}

func (s *stub) readReg(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) != 4 {
		return stubBadLength, 0, nil, nil
	}
	if !mapped(q.word(0)) {
		return 0, 0, nil, s.c.trap(s.c.model.ROM.LoadFault)
	}
	return stubOK, s.c.readRegister(q.word(0)), nil, nil
}

func (s *stub) attach(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) != 4 {
		return stubBadLength, 0, nil, nil
	}
	s.c.cpu.flash.pins = q.word(0)
	return stubOK, 0, nil, nil
}

func (s *stub) setParams(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) != 24 {
		return stubBadLength, 0, nil, nil
	}
	s.flashSize = q.word(1)
	return stubOK, 0, nil, nil
}

// baudSettle is how long the stub waits on either side of a change of rate
// (esp-stub-lib, uart.c).
const baudSettle = 5 * time.Millisecond

func (s *stub) changeBaud(q *request) (uint32, error) {
	settle := baudSettle
	if !s.c.cfg.Timing.UART {
		settle = 0
	}
	if err := s.c.busy(settle); err != nil {
		return 0, err
	}
	if rate := int(q.word(0)); rate > 0 {
		if err := s.c.setBaud(rate); err != nil {
			return 0, err
		}
	}
	return stubOK, s.c.busy(settle)
}

func (s *stub) md5(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) != 16:
		return stubBadLength, 0, nil, nil
	case q.word(1) > 0 && !wordsWithin(q.word(0), q.word(1), s.flashSize):
		return stubFlashFailed, 0, nil, nil
	}
	if err := s.flashReady(); err != nil {
		return 0, 0, nil, err
	}
	sum, err := s.c.flashMD5(q.word(0), q.word(1))
	return stubOK, 0, sum, err
}

func (s *stub) securityInfo(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) != 0:
		return stubBadLength, 0, nil, nil
	case s.c.model.SecurityInfo == 0:
		return stubNotImplemented, 0, nil, nil
	}
	return stubOK, 0, s.c.securityInfo(), nil
}

func (s *stub) eraseFlash(*request) (uint32, uint32, []byte, error) {
	size := s.c.flash.Size()
	if err := s.c.eraseChip(); err != nil {
		return stubFlashFailed, 0, nil, nil
	}
	return stubOK, 0, nil, s.c.busy(time.Duration(size>>20) * s.c.cfg.Timing.EraseChip)
}

// eraseRegion does not know where the flash ends: what is beyond wraps around.
func (s *stub) eraseRegion(q *request) (uint32, uint32, []byte, error) {
	if len(q.data) != 8 || q.word(0)%sectorSize != 0 || q.word(1)%sectorSize != 0 {
		return stubBadLength, 0, nil, nil
	}
	address, left := int(q.word(0)), int(q.word(1))
	for left > 0 {
		n, takes := eraseUnit(&s.c.cfg.Timing, address, left)
		if err := s.c.erase(address, n); err != nil {
			return stubFlashFailed, 0, nil, nil
		}
		if err := s.c.busy(takes); err != nil {
			return 0, 0, nil, err
		}
		address, left = address+n, left-n
	}
	return stubOK, 0, nil, nil
}

// readPacketMax is the longest packet that READ_FLASH sends, in bytes.
const readPacketMax = 4096

// readFlash sends packets, each when the one before is acknowledged whatever
// window the host offers, until the host has acknowledged everything, and an MD5
// behind them.
func (s *stub) readFlash(q *request) (uint32, error) {
	address, size, packetSize := q.word(0), q.word(1), q.word(2)
	if packetSize > readPacketMax || packetSize == 0 && size > 0 {
		return stubBadLength, nil
	}
	s.release() // the buffer of this very command, for the acknowledgements
	if err := s.flashReady(); err != nil {
		return 0, err
	}
	sum := md5.New()
	packet := make([]byte, packetSize)
	for sent, acknowledged := uint32(0), uint32(0); sent < size || acknowledged < size; {
		if p := packet[:min(packetSize, size-sent)]; len(p) > 0 {
			if !wordsWithin(address+sent, uint32(len(p)), s.flashSize) {
				return stubFlashFailed, nil
			}
			s.c.readFlash(p, int(address+sent))
			sum.Write(p)
			if err := s.c.busy(at(s.c.cfg.Timing.ReadRate, len(p))); err != nil {
				return 0, err
			}
			if err := s.c.sendFrame(p); err != nil {
				return 0, err
			}
			sent += uint32(len(p))
		}
		var ok bool
		var err error
		if acknowledged, ok, err = s.acknowledgement(); err != nil {
			return 0, err
		}
		if !ok {
			break
		}
	}
	return stubOK, s.c.sendFrame(sum.Sum(nil))
}

// wordsWithin is within for the whole words that a region lies in.
func wordsWithin(address, size, flashSize uint32) bool {
	return within(address&^3, (size+address%4+3)&^3, flashSize)
}

// acknowledgement waits for the host's four bytes, which say how much it has; a
// frame of another length ends the read.
func (s *stub) acknowledgement() (received uint32, ok bool, err error) {
	frame, err := s.await()
	if err != nil {
		return 0, false, err
	}
	if ok = len(frame) == 4; ok {
		received = binary.LittleEndian.Uint32(frame)
	}
	s.release()
	return received, ok, nil
}

// flashReady waits until an erase that was started is through.
func (s *stub) flashReady() error { return s.c.busyUntil(s.flashBusy) }
