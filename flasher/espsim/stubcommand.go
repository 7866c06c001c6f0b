package espsim

import "time"

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

// flashReady waits until an erase that was started is through.
func (s *stub) flashReady() error { return s.c.busyUntil(s.flashBusy) }
