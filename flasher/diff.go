package flasher

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
)

// Changes returns the parts of p that differ from old, which lies at the same
// offset: whole sectors, and whole 64 KiB blocks where much of one differs.
// They are made once for all units. None means that old is p.
func (p *Packed) Changes(old *Packed) ([]*Packed, error) {
	if p.Offset != old.Offset {
		return nil, fmt.Errorf("changes of %s: it lies at %#x, and what it is compared with at %#x", p.Name, p.Offset, old.Offset)
	}
	var changed []bool
	for i, sector := range enumerate(p.data, SectorSize) {
		from := min(i*SectorSize, len(old.data))
		changed = append(changed, !bytes.Equal(sector, old.data[from:min(from+len(sector), len(old.data))]))
	}
	p.fillBlocks(changed)
	return p.parts(changed)
}

// fillBlocks has the rest of a 64 KiB block written, too, where that is faster:
// a block is erased at once in about the time of three sectors (data sheets of
// W25Q64 and GD25Q64), but all of it has to be sent.
func (p *Packed) fillBlocks(changed []bool) {
	const sectors = BlockSize / SectorSize
	first := 0 // the first sector at the start of a block
	if over := int(p.Offset) % BlockSize; over != 0 {
		first = (BlockSize - over) / SectorSize
	}
	for ; (first+sectors)*SectorSize <= p.Size; first += sectors {
		block := changed[first : first+sectors]
		n := 0
		for _, c := range block {
			if c {
				n++
			}
		}
		if n >= sectors/2 {
			for i := range block {
				block[i] = true
			}
		}
	}
}

// parts packs each run of sectors that are marked.
func (p *Packed) parts(marked []bool) ([]*Packed, error) {
	var parts []*Packed
	for i := 0; i < len(marked); i++ {
		from := i
		for i < len(marked) && marked[i] {
			i++
		}
		if i == from {
			continue
		}
		part, err := Pack(p.Name, p.Offset+uint32(from*SectorSize), p.data[from*SectorSize:min(i*SectorSize, p.Size)])
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// WriteChanges writes into a flash that is believed to hold an older p the
// parts that p.Changes found. Where a look at one sector shows that it holds
// something else, p is written whole. It does not verify: where Verify then finds
// a Mismatch the flash may have held something else all the same, and p is to be
// written whole. progress may be nil.
func (d *Device) WriteChanges(ctx context.Context, p *Packed, changes []*Packed, progress Progress) error {
	held, err := d.holdsUnchanged(ctx, p, changes)
	switch {
	case err != nil:
		return err
	case held:
		return d.writeParts(ctx, p.Size, changes, progress)
	}
	d.logf("the flash does not hold the %s that it was believed to; writing it whole", p.Name)
	return d.WriteFlash(ctx, p, progress)
}

// holdsUnchanged looks at one sector that is to stay as it is. A flash that is
// blank, or holds something else altogether, is found out by that before
// anything is written for nothing.
func (d *Device) holdsUnchanged(ctx context.Context, p *Packed, changes []*Packed) (bool, error) {
	at := 0 // where the changes so far end
	for _, c := range changes {
		if int(c.Offset-p.Offset) > at {
			break
		}
		at = int(c.Offset-p.Offset) + c.Size
	}
	sector := p.data[at:min(at+SectorSize, p.Size)]
	if len(sector) == 0 {
		return true, nil // nothing stays
	}
	sum, err := d.FlashMD5(ctx, p.Offset+uint32(at), len(sector))
	return sum == md5.Sum(sector), opError(fmt.Sprintf("compare %s at %#x", p.Name, p.Offset), err)
}
