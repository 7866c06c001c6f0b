package flasher

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"time"

	"hoptech.co.nz/flashd/flasher/slip"
)

const (
	slowRead = 64     // the most a ROM reads at once (READ_FLASH_SLOW)
	fastRead = 0x1000 // bytes a packet from the stub
	// packetTimeout is what the stub gets for one packet.
	packetTimeout = 3 * time.Second
)

// ReadFlash reads size bytes of flash from offset: fast with the stub, 64
// bytes at a time with a ROM. On a line without checksums the chip's digest has
// to confirm them. progress may be nil.
func (d *Device) ReadFlash(ctx context.Context, offset uint32, size int, progress Progress) ([]byte, error) {
	op := fmt.Sprintf("read %d bytes at %#x", size, offset)
	if size < 0 || int(offset)+size > d.reach() {
		return nil, opError(op, d.beyondReach(int(offset)+size))
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	read := d.readSlow
	if d.stub {
		read = d.readFast
	}
	data, err := read(ctx, offset, size, progress)
	if err == nil && d.unguarded() {
		err = d.confirm(ctx, offset, data)
	}
	if err != nil {
		return nil, opError(op, err)
	}
	return data, nil
}

// confirm makes sure that data is what the flash holds at offset, and not what it
// holds elsewhere.
func (d *Device) confirm(ctx context.Context, offset uint32, data []byte) error {
	sum, err := d.FlashMD5(ctx, offset, len(data))
	if err == nil && sum != md5.Sum(data) {
		err = fmt.Errorf("%w: the flash has another digest there than what was read", BadFrame)
	}
	return err
}

func (d *Device) readSlow(ctx context.Context, offset uint32, size int, progress Progress) ([]byte, error) {
	out := make([]byte, 0, size)
	for len(out) < size {
		n := min(slowRead, size-len(out))
		r, err := d.command(ctx, ReadFlashSlow, words(offset+uint32(len(out)), uint32(n)), defaultTimeout)
		if err != nil {
			return nil, err
		}
		if len(r.data) < n { // a ROM always sends 64
			return nil, fmt.Errorf("%w: %d bytes of %d", BadFrame, len(r.data), n)
		}
		out = append(out, r.data[:n]...)
		progress(len(out), size)
	}
	return out, nil
}

// readFast takes the stub's stream of raw frames, each acknowledged with the
// number of bytes received so far, and an MD5 of all behind them
// (serial-protocol.rst "Reading Flash").
func (d *Device) readFast(ctx context.Context, offset uint32, size int, progress Progress) ([]byte, error) {
	if err := d.simple(ctx, ReadFlash, defaultTimeout, offset, uint32(size), fastRead, 1); err != nil {
		return nil, err
	}
	data, sum, err := d.stream(ctx, size, progress)
	switch {
	case err != nil:
		d.behind, d.streaming = true, true
		return nil, err
	case len(data) != size:
		return nil, fmt.Errorf("%w: %d bytes instead of %d", BadFrame, len(data), size)
	case md5.Sum(data) != [16]byte(append(sum, make([]byte, 16)...)):
		return nil, fmt.Errorf("%w: what arrived has another MD5 than what was sent", BadFrame)
	}
	return data, nil
}

// stream returns what the stub sends of size bytes, and its digest of them.
func (d *Device) stream(ctx context.Context, size int, progress Progress) (data, sum []byte, err error) {
	data = make([]byte, 0, size)
	for len(data) < size {
		packet, err := d.packet(ctx)
		if err != nil {
			return nil, nil, err
		}
		data = append(data, packet...)
		ack := slip.Append(nil, binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
		if err := d.line.sendFrame(ctx, ack); err != nil {
			return nil, nil, err
		}
		progress(min(len(data), size), size)
	}
	sum, err = d.packet(ctx)
	return data, sum, err
}

func (d *Device) packet(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, packetTimeout, Timeout)
	defer cancel()
	return d.line.frame(ctx)
}
