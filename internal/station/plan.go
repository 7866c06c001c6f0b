package station

import (
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

// plan is a release made ready for the wire: packed once, written to every
// unit.
type plan struct {
	chip     *flasher.Chip
	segments []*flasher.Packed
	bytes    int    // flash bytes of all segments
	table    uint32 // where the partition table is
	// changes are the parts of a segment that differ from the release that
	// units are believed to hold; for the others there is no entry.
	changes map[*flasher.Packed][]*flasher.Packed
}

// usualTable is where esp-idf puts the partition table unless told otherwise.
const usualTable = 0x8000

// newPlan makes r ready for the wire; previous is what units are believed to
// hold already, nil if nothing is known.
func newPlan(r, previous *firmware.Release) (plan, error) {
	chip, err := flasher.ChipNamed(r.Chip)
	if err != nil {
		return plan{}, err
	}
	p := plan{chip: chip, table: usualTable}
	for _, s := range r.Segments {
		packed, err := s.Pack()
		if err != nil {
			return plan{}, fmt.Errorf("segment %s: %w", s.Name, err)
		}
		if s.Name == "partition-table" {
			p.table = s.Offset
		}
		p.segments = append(p.segments, packed)
		p.bytes += packed.Size
	}
	if previous != nil {
		return p, p.compare(previous)
	}
	return p, nil
}

// compare finds what has changed since a release.
func (p *plan) compare(previous *firmware.Release) error {
	p.changes = map[*flasher.Packed][]*flasher.Packed{}
	for _, old := range previous.Segments {
		i := slices.IndexFunc(p.segments, func(s *flasher.Packed) bool { return s.Offset == old.Offset })
		if i < 0 {
			continue
		}
		before, err := old.Pack()
		if err != nil {
			return fmt.Errorf("segment %s of release %s: %w", old.Name, previous.Name, err)
		}
		if p.changes[p.segments[i]], err = p.segments[i].Changes(before); err != nil {
			return err
		}
	}
	return nil
}
