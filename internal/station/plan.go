package station

import (
	"fmt"

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
}

// usualTable is where esp-idf puts the partition table unless told otherwise.
const usualTable = 0x8000

func newPlan(r *firmware.Release) (plan, error) {
	chip, err := flasher.ChipNamed(r.Chip)
	if err != nil {
		return plan{}, err
	}
	p := plan{chip: chip, table: usualTable}
	for _, s := range r.Segments {
		packed, err := flasher.Pack(s.Name, s.Offset, s.Data)
		if err != nil {
			return plan{}, fmt.Errorf("segment %s: %w", s.Name, err)
		}
		if s.Name == "partition-table" {
			p.table = s.Offset
		}
		p.segments = append(p.segments, packed)
		p.bytes += packed.Size
	}
	return p, nil
}
