package espsim

import "slices"

// stubWrite is a flash download of the stub under way.
type stubWrite struct {
	active    bool
	remaining uint32 // bytes that BEGIN promised and that are not written yet
	address   uint32

	eraseNext, eraseLeft uint32
	sawDirty             bool // a sector was not blank: erase without looking from here on

	inflate *inflater
	packed  uint32 // compressed bytes that BEGIN promised and that are not inflated yet
	held    []byte // inflated, but not a whole unit yet
}

// hold takes what has been inflated and returns what is to be written: whole units of
// 32 KiB, and the rest at the end of the stream.
func (w *stubWrite) hold(out []byte, end bool) []byte {
	w.held = append(w.held, out...)
	n := len(w.held)
	if !end {
		n -= n % outputUnit
	}
	ready := w.held[:n:n]
	w.held = w.held[n:]
	return ready
}

// begin sets up a download and starts the first erase.
func (s *stub) begin(q *request) (uint32, error) {
	if len(q.data) != 16 && len(q.data) != 20 {
		return stubBadLength, nil
	}
	s.write.inflate.close()
	size, address := q.word(0), q.word(3)
	from := address &^ (sectorSize - 1)
	to := (address + size + sectorSize - 1) &^ (sectorSize - 1)
	s.write = stubWrite{active: true, remaining: size, address: address, eraseNext: from, eraseLeft: to - from}
	return s.eraseStep()
}

func (s *stub) flashBegin(q *request) (uint32, uint32, []byte, error) {
	code, err := s.begin(q)
	return code, 0, nil, err
}

func (s *stub) deflBegin(q *request) (uint32, uint32, []byte, error) {
	code, err := s.begin(q)
	if s.write.active {
		s.write.inflate, s.write.packed = newInflater(), q.word(1)*q.word(2)
	}
	return code, 0, nil, err
}

// eraseStep does the next bit of erasing, if the flash is free for it: while
// nothing but blank sectors has been seen a sector is read first and left as it
// is when blank; after that 64 KiB or 4 KiB are erased, without waiting for it.
func (s *stub) eraseStep() (uint32, error) {
	w, t := &s.write, &s.c.cfg.Timing
	if w.eraseLeft == 0 {
		return stubOK, nil
	}
	if !w.sawDirty {
		if err := s.flashReady(); err != nil {
			return 0, err
		}
		if !within(w.eraseNext, sectorSize, s.flashSize) {
			return stubFlashFailed, nil
		}
		if err := s.c.busy(at(t.ReadRate, sectorSize)); err != nil {
			return 0, err
		}
		if s.blank(w.eraseNext) {
			w.eraseNext += sectorSize
			w.eraseLeft -= min(w.eraseLeft, sectorSize)
			return stubOK, nil
		}
		w.sawDirty = true
	}
	if s.flashBusy.After(s.c.cpu.clock) {
		return stubOK, nil
	}
	n, takes := eraseUnit(t, int(w.eraseNext), int(w.eraseLeft))
	if err := s.c.erase(int(w.eraseNext), n); err != nil {
		return stubFlashFailed, nil
	}
	s.flashBusy = s.c.cpu.clock.Add(takes)
	w.eraseNext += uint32(n)
	w.eraseLeft -= min(w.eraseLeft, uint32(n))
	return stubOK, nil
}

func (s *stub) blank(address uint32) bool {
	sector := make([]byte, sectorSize)
	s.c.readFlash(sector, int(address))
	for _, b := range sector {
		if b != 0xFF {
			return false
		}
	}
	return true
}

// writeOut erases as far as needed and programs.
func (s *stub) writeOut(data []byte) (uint32, error) {
	w := &s.write
	end := w.address + uint32(len(data))
	if len(data) > 0 && !within(w.address, uint32(len(data)), s.flashSize) {
		return stubFlashFailed, nil
	}
	for w.eraseNext < end {
		if w.eraseLeft == 0 {
			// More than BEGIN promised: the real stub never leaves this loop.
			s.c.cfg.Logf("chip: the stub hangs, data beyond the size announced")
			return 0, s.c.lost()
		}
		if err := s.flashReady(); err != nil {
			return 0, err
		}
		if code, err := s.eraseStep(); code != stubOK || err != nil {
			return code, err
		}
	}
	if err := s.flashReady(); err != nil {
		return 0, err
	}
	if err := s.c.program(int(w.address), data); err != nil {
		return stubFlashFailed, nil
	}
	if err := s.c.busy(s.c.cfg.Timing.programTime(len(data))); err != nil {
		return 0, err
	}
	w.remaining -= uint32(len(data))
	w.address = end
	return stubOK, nil
}

// flashData checks the block; it is written behind the acknowledgement.
func (s *stub) flashData(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) < dataHeader:
		return stubNotEnoughData, 0, nil, nil
	case !s.write.active:
		return stubNotInFlashMode, 0, nil, nil
	case int(q.word(0)) != len(q.payload()):
		return stubTooMuchData, 0, nil, nil
	case uint32(sum(q.payload())) != q.checksum:
		return stubBadChecksum, 0, nil, nil
	}
	s.later = func(q *request) (uint32, error) {
		return s.writeOut(q.payload()[:min(uint32(len(q.payload())), s.write.remaining)])
	}
	return stubOK, 0, nil, nil
}

// deflData checks the block; it is inflated and written behind the
// acknowledgement, in units of 32 KiB.
func (s *stub) deflData(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) < dataHeader:
		return stubBadLength, 0, nil, nil
	case !s.write.active:
		return stubNotInFlashMode, 0, nil, nil
	case int(q.word(0)) > len(q.payload()), uint32(sum(q.payload()[:q.word(0)])) != q.checksum:
		return stubBadChecksum, 0, nil, nil
	}
	s.later = func(q *request) (uint32, error) {
		return s.inflateOut(q)
	}
	return stubOK, 0, nil, nil
}

// inflateOut inflates a piece and writes the units that are full. Each run of the
// inflater, which ends with its unit or its piece, is preceded by the next bit of
// erasing.
func (s *stub) inflateOut(q *request) (uint32, error) {
	if code, err := s.eraseStep(); code != stubOK || err != nil {
		return code, err
	}
	ready, failure := s.write.inflatePiece(q.payload()[:q.word(0)], q.word(1) == 0)
	runs := 1
	for unit := range slices.Chunk(ready, outputUnit) {
		if runs > 1 {
			if code, err := s.eraseStep(); code != stubOK || err != nil {
				return code, err
			}
		}
		runs++
		if err := s.c.busy(at(s.c.cfg.Timing.InflateRate, len(unit))); err != nil {
			return 0, err
		}
		if code, err := s.writeOut(unit); code != stubOK || err != nil {
			return code, err
		}
	}
	switch {
	case failure != nil:
		return stubInflateError, nil
	case s.write.inflate.done || runs == 1:
		return stubOK, nil
	}
	return s.eraseStep()
}

// inflatePiece returns what can be written of a piece. When no more compressed
// data was promised and the stream goes on, the inflater reads zeros until a unit is
// full or something is wrong. Its sum is looked at only if the stream ends in the first
// unit of the first block: later TINFL_FLAG_PARSE_ZLIB_HEADER is not given.
func (w *stubWrite) inflatePiece(piece []byte, first bool) (ready []byte, failure error) {
	if w.inflate == nil { // begun for plain data
		w.inflate = newInflater()
	}
	w.inflate.summed = -1
	if first {
		w.inflate.summed = outputUnit
	}
	last := w.packed <= uint32(len(piece))
	out, failure := w.inflate.feed(piece)
	w.packed -= uint32(len(piece) - w.inflate.unread)
	ready = w.hold(out, w.inflate.done && failure == nil)
	for n := len(ready); last && len(ready) == n && !w.inflate.done; {
		out, failure = w.inflate.feed([]byte{0})
		ready = append(ready, w.hold(out, w.inflate.done && failure == nil)...)
	}
	return ready, failure
}

// flashEnd ends a download that is complete. The flag that asks for a reboot
// does nothing.
func (s *stub) flashEnd(q *request) (uint32, uint32, []byte, error) {
	switch {
	case len(q.data) != 4:
		return stubBadLength, 0, nil, nil
	case !s.write.active:
		return stubNotInFlashMode, 0, nil, nil
	case s.write.remaining != 0:
		return stubBadLength, 0, nil, nil
	}
	s.write.inflate.close()
	s.write = stubWrite{}
	return stubOK, 0, nil, nil
}
