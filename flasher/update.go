package flasher

import (
	"context"
	"crypto/md5"
	"fmt"
)

// UpdateFlash writes those sectors of p that the flash does not hold, going by
// the chip's digest of each. It pays for segments of which most stays as it is,
// such as an NVS partition: the digest of a sector takes some milliseconds,
// erasing and writing it some 60. It does not verify; progress may be nil.
func (d *Device) UpdateFlash(ctx context.Context, p *Packed, progress Progress) error {
	op := fmt.Sprintf("update %s at %#x", p.Name, p.Offset)
	if err := d.writable(p); err != nil {
		return opError(op, err)
	}
	changed, err := d.changedSectors(ctx, p)
	if err != nil {
		return opError(op, err)
	}
	parts, err := p.parts(changed)
	if err != nil {
		return err
	}
	return d.writeParts(ctx, p.Size, parts, progress)
}

// changedSectors asks for the digest of each sector of p.
func (d *Device) changedSectors(ctx context.Context, p *Packed) ([]bool, error) {
	var changed []bool
	for i, sector := range enumerate(p.data, SectorSize) {
		sum, err := d.FlashMD5(ctx, p.Offset+uint32(i*SectorSize), len(sector))
		if err != nil {
			return nil, err
		}
		changed = append(changed, sum != md5.Sum(sector))
	}
	return changed, nil
}

// writeParts writes parts of a segment of that size.
func (d *Device) writeParts(ctx context.Context, size int, parts []*Packed, progress Progress) error {
	left := size
	for _, part := range parts {
		left -= part.Size
	}
	done := left // what stays is done already
	for _, part := range parts {
		err := d.WriteFlash(ctx, part, func(n, _ int) {
			if progress != nil {
				progress(done+n, size)
			}
		})
		if err != nil {
			return err
		}
		done += part.Size
	}
	if progress != nil {
		progress(size, size)
	}
	return nil
}
