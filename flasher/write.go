package flasher

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Progress is told how many of a segment's flash bytes have been handed over.
type Progress func(done, total int)

const (
	romBlock  = 0x400  // flash bytes a frame to a ROM (loader.py FLASH_WRITE_SIZE)
	stubBlock = 0x4000 // to the stub (its frame buffers hold 16,623)

	// erasePerMB and its fellows are esptool's allowances for slow flash
	// (loader.py, cmds.py); a MB is 1e6 bytes there.
	erasePerMB = 40 * time.Second
	md5PerMB   = 8 * time.Second

	// writeAttempts is how often a segment is begun: a lost acknowledgement
	// cannot be mended in the middle of a compressed stream.
	writeAttempts = 3
	// blockAttempts is how often a block that arrives damaged is sent.
	blockAttempts = 3
)

// perMB scales an allowance to size bytes.
func perMB(allowance time.Duration, size int) time.Duration {
	return max(defaultTimeout, time.Duration(float64(allowance)*float64(size)/1e6))
}

// WriteFlash erases and writes p. It does not verify; progress may be nil.
//
// A segment that does not fit the flash is refused, and so is every write to
// a chip with flash encryption or secure boot, whose bootloader would no
// longer start what was written in plain text.
func (d *Device) WriteFlash(ctx context.Context, p *Packed, progress Progress) error {
	op := fmt.Sprintf("write %s at %#x", p.Name, p.Offset)
	if err := d.writable(p); err != nil {
		return opError(op, err)
	}
	for attempt := 1; ; attempt++ {
		err := opError(op, d.writeOnce(ctx, p, progress))
		if err == nil {
			d.written += int64(p.Size)
			return nil
		}
		if attempt == writeAttempts || ctx.Err() != nil || !lineFault(err) {
			return err
		}
		d.logf("attempt %d: %v; starting the segment again", attempt, err)
		switch rerr := d.recover(ctx, attempt > 1); {
		case errors.Is(rerr, NoSync):
			return err // the first failure tells more
		case rerr != nil:
			return rerr
		}
	}
}

func (d *Device) writable(p *Packed) error {
	switch {
	case d.security.FlashEncryption || d.security.SecureBoot:
		return d.refuseProtected()
	case int(p.Offset)+p.Size > d.reach():
		return d.beyondReach(int(p.Offset) + p.Size)
	}
	return nil
}

func (d *Device) refuseProtected() error {
	return &Error{Kind: Secured, Err: fmt.Errorf("%s: plain images would leave the chip unable to start", d.security)}
}

// lineFault reports whether err may come of the line and not of the flash, so
// that sending again can help.
func lineFault(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case Timeout, BadFrame:
		return true
	case Rejected:
		switch e.Code {
		case 0x0100, // a failure without a reason: there is none
			invalidMessage, 0x0107, badDataLength, badChecksum, 0xC300, // a damaged frame
			0x010B, 0x010C, 0xC700, 0xC800, 0xC900: // a stream with a hole in it
			return true
		}
	}
	return false
}

func (d *Device) writeOnce(ctx context.Context, p *Packed, progress Progress) error {
	f := d.framing(p)
	blocks := p.blocks(f)
	if err := d.beginWrite(ctx, p, f); err != nil {
		return err
	}
	op := FlashData
	if f.deflated {
		op = FlashDeflData
	}
	done, before := 0, 0
	for seq, b := range blocks {
		// The stub acknowledges a block before it works on it: the work of the
		// block before counts, too.
		if err := d.sendBlock(ctx, op, b, blockTimeout(b.inflated+before)+d.lineTime(len(b.frame))); err != nil {
			return opError(fmt.Sprintf("write %s at %#x, block %d of %d", p.Name, p.Offset, seq+1, len(blocks)), err)
		}
		done, before = done+b.inflated, b.inflated
		if progress != nil {
			progress(done, p.Size)
		}
	}
	return d.endWrite(ctx, f, blockTimeout(before))
}

// endWrite has the stub say that it has written as much as was announced, once
// the last block is in the flash. That is how a BEGIN shows that was damaged on
// its way: see "Lines without checksums". A ROM would leave the loader.
func (d *Device) endWrite(ctx context.Context, f framing, timeout time.Duration) error {
	if !d.stub {
		return nil
	}
	op := FlashEnd
	if f.deflated {
		op = FlashDeflEnd
	}
	const stay = 1
	err := d.simple(ctx, op, timeout, stay)
	var e *Error
	if errors.As(err, &e) && e.Code == badDataLength {
		return &Error{Cmd: op, Kind: Astray, Code: e.Code, Err: errors.New("the stub began to write more, or less, than it was told to")}
	}
	return err
}

// blockTimeout allows for erasing and programming: up to a block more than
// the data on either side (cmds.py _get_flash_defl_block_timeout).
func blockTimeout(inflated int) time.Duration {
	return perMB(erasePerMB, inflated+BlockSize*((inflated+stubBurst-1)/stubBurst+1))
}

// lineTime is how long a UART takes to carry size bytes of ten bits each. A
// port without a rate counts as the slowest.
func (d *Device) lineTime(size int) time.Duration {
	return time.Duration(size) * 10 * time.Second / time.Duration(d.baud)
}

// framing chooses how p goes to the loader.
func (d *Device) framing(p *Packed) framing {
	inflates := d.stub || !d.chip.wideInflate && !d.security.SecureDownload
	return framing{d.blockSize(), inflates && p.compressed()}
}

func (d *Device) blockSize() int {
	switch {
	case d.opts.Wiring == USBOTG:
		return otgBlock
	case d.stub:
		return stubBlock
	default:
		return romBlock
	}
}

// beginWrite announces the segment. A ROM erases all of it now, the stub as it
// goes along.
func (d *Device) beginWrite(ctx context.Context, p *Packed, f framing) error {
	op, total, wire, timeout := FlashBegin, p.Size, p.Size, defaultTimeout
	if f.deflated {
		op, wire = FlashDeflBegin, p.WireSize()
	}
	if !d.stub {
		timeout = perMB(erasePerMB, p.Size)
		if f.deflated {
			total = (p.Size + f.size - 1) / f.size * f.size // ROMs count in whole blocks
		}
	}
	blocks := (wire + f.size - 1) / f.size
	args := []uint32{uint32(total), uint32(blocks), uint32(f.size), p.Offset}
	if !d.stub && !d.chip.plainBegin {
		args = append(args, 0) // not encrypted
	}
	return d.simple(ctx, op, timeout, args...)
}

func (d *Device) sendBlock(ctx context.Context, op Opcode, b block, timeout time.Duration) error {
	for attempt := 1; ; attempt++ {
		_, err := d.exchange(ctx, op, b.frame, timeout)
		var e *Error
		// The stub has dropped a block that arrived damaged and expects it
		// again. A ROM has counted it, and only a new BEGIN helps.
		damaged := errors.As(err, &e) && (e.Code == badDataLength || e.Code == badChecksum)
		if !damaged || attempt == blockAttempts {
			return err
		}
	}
}
