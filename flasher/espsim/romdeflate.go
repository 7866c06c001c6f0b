package espsim

import "errors"

// packedTransfer is a download of compressed data.
type packedTransfer struct {
	transfer
	inflate *inflater
	// window is what is inflated into and programmed when it is full. Nobody
	// clears it.
	window [outputUnit]byte
	filled int
}

func (r *rom) deflBegin(q *request) (int, bool, error) {
	p := &r.packed
	if r.beginFlash(q, &p.transfer, false) {
		return 0, true, nil
	}
	p.inflate.close()
	p.inflate, p.filled = newInflater(), 0
	return r.eraseRegion(&p.transfer)
}

// deflData inflates, writes and only then answers. It does not read back.
func (r *rom) deflData(q *request) (int, bool, error) {
	p := &r.packed
	if r.expect(&p.transfer, q, false) {
		return 0, true, nil
	}
	if p.inflate == nil { // an empty block, without any BEGIN
		return 0, r.refuse(romInflateSetup), nil
	}
	piece, last := q.payload()[:q.word(0)], p.next == p.blocks
	failure, err := r.inflatePiece(piece)
	if err == nil && last && failure == nil && !p.inflate.done {
		failure, err = r.inflateZeros()
	}
	switch {
	case err != nil:
		return 0, false, err
	case errors.Is(failure, errInflateSum):
		return 0, r.refuse(romAdlerError), nil
	case failure != nil:
		return 0, r.refuse(romInflateError), nil
	case p.inflate.unread > 0:
		r.c.cfg.Logf("chip: the ROM hangs, data behind the end of the stream")
		return 0, false, r.c.lost()
	case !last:
		return 0, false, nil
	}
	return 0, false, r.programRest()
}

// inflatePiece inflates into the window and programs it each time it is full.
func (r *rom) inflatePiece(piece []byte) (failure, err error) {
	p := &r.packed
	out, failure := p.inflate.feed(piece)
	if err := r.c.busy(at(r.c.cfg.Timing.InflateRate, len(out))); err != nil {
		return nil, err
	}
	for len(out) > 0 {
		n := copy(p.window[p.filled:], out)
		out = out[n:]
		if p.filled += n; p.filled < len(p.window) {
			break
		}
		if err := r.program(p.address, p.window[:]); err != nil {
			return nil, err
		}
		p.address += uint32(len(p.window))
		p.filled = 0
	}
	return failure, nil
}

// inflateZeros is what the inflater makes of the last block when the stream goes
// on behind it: it reads zeros until the window is full or something is wrong.
func (r *rom) inflateZeros() (failure, err error) {
	p := &r.packed
	for address := p.address; p.address == address && !p.inflate.done; {
		if failure, err = r.inflatePiece([]byte{0}); err != nil || failure != nil {
			return failure, err
		}
	}
	return nil, nil
}

// programRest programs what the last block has left in the window, in whole words.
// The ESP32 programs all of the window, with what earlier data left there; the
// first time these are zeros.
func (r *rom) programRest() error {
	p := &r.packed
	n := (p.filled + 3) &^ 3
	if r.c.model.ROM.WholeWindows {
		n = len(p.window)
	}
	return r.program(p.address, p.window[:n])
}

// deflEnd stays in the loader, unless it is told to reset the chip.
func (r *rom) deflEnd(q *request) bool { return r.finish(&r.packed.transfer, q) }
