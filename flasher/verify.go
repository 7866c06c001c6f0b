package flasher

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
)

// FlashMD5 has the chip compute the MD5 of size bytes of its flash. It asks once more
// where a line without checksums may have spoilt the question, or the answer.
func (d *Device) FlashMD5(ctx context.Context, offset uint32, size int) ([16]byte, error) {
	sum, err := d.flashMD5(ctx, offset, size)
	if d.unguarded() && lineFault(err) {
		sum, err = d.flashMD5(ctx, offset, size)
	}
	return sum, opError("compute MD5", err)
}

func (d *Device) flashMD5(ctx context.Context, offset uint32, size int) (sum [16]byte, err error) {
	// The last block written may still be on its way into the flash.
	timeout := perMB(md5PerMB, size) + blockTimeout(stubBlock)
	r, err := d.command(ctx, SPIFlashMD5, words(offset, uint32(size), 0, 0), timeout)
	if err != nil {
		return sum, err
	}
	switch len(r.data) { // the stub sends the sum, ROMs its hex digits
	case 16:
		copy(sum[:], r.data)
		return sum, nil
	case 32:
		if _, err := hex.Decode(sum[:], r.data); err == nil {
			return sum, nil
		}
	}
	return sum, &Error{Cmd: SPIFlashMD5, Kind: BadFrame, Err: fmt.Errorf("%d bytes that are no digest", len(r.data))}
}

// Holds reports whether the flash holds p already.
func (d *Device) Holds(ctx context.Context, p *Packed) (bool, error) {
	sum, err := d.FlashMD5(ctx, p.Offset, p.Size)
	return sum == p.MD5, err
}

// Verify checks on the chip that the flash holds p: the error is a Mismatch
// where it does not, and Blank where nothing was written at all.
func (d *Device) Verify(ctx context.Context, p *Packed) error {
	op := fmt.Sprintf("verify %s at %#x", p.Name, p.Offset)
	sum, err := d.FlashMD5(ctx, p.Offset, p.Size)
	if err == nil && sum != p.MD5 && d.unguarded() {
		sum, err = d.FlashMD5(ctx, p.Offset, p.Size) // the line may have spoilt the question, or the answer
	}
	switch {
	case err != nil:
		return opError(op, err)
	case sum == p.MD5:
		return nil
	case sum == md5.Sum(bytes.Repeat([]byte{0xFF}, p.Size)):
		return &Error{Op: op, Kind: Blank}
	default:
		// The digests are not named: of an NVS partition they would be a key
		// to guess its secrets by.
		return &Error{Op: op, Kind: Mismatch}
	}
}
