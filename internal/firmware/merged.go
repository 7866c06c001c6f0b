package firmware

import (
	"bytes"
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/flasher"
)

// splitMerged takes apart a part that holds the whole flash from the
// bootloader on, as esptool's merge-bin makes them. Nothing of it is written
// to the NVS partition, which a unit gets of its own; data there is refused
// unless dropNVS.
func splitMerged(parts []Segment, dropNVS bool) ([]Segment, error) {
	var out []Segment
	for _, p := range parts {
		m, err := findMerged(p)
		if err != nil {
			return nil, err
		}
		if m == nil {
			out = append(out, p)
			continue
		}
		pieces, err := m.split(dropNVS)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		out = append(out, pieces...)
	}
	return out, nil
}

// merged is a part with a partition table inside.
type merged struct {
	part        Segment
	chip        *flasher.Chip
	table       flasher.PartitionTable
	tableOffset uint32 // in flash
}

// findMerged returns nil for a part that is not merged.
func findMerged(p Segment) (*merged, error) {
	chip := mergedChip(p)
	if chip == nil {
		return nil, nil
	}
	var firstErr error
	start := chip.BootloaderOffset - p.Offset + flasher.SectorSize
	for at := int(start); at < len(p.Data); at += flasher.SectorSize {
		if !flasher.IsPartitionTable(p.Data[at:]) {
			continue
		}
		table, err := flasher.ParsePartitionTable(p.Data[at:])
		if err == nil {
			return &merged{p, chip, table, p.Offset + uint32(at)}, nil
		}
		if firstErr == nil {
			firstErr = fmt.Errorf("%s at %#x: %w", p.Name, p.Offset+uint32(at), plainly(err))
		}
	}
	return nil, firstErr
}

// mergedChip returns the chip whose bootloader is in p where that chip boots
// from, or nil. Wherever p begins, the image's header says where it belongs.
func mergedChip(p Segment) *flasher.Chip {
	const header = 24
	for _, chip := range flasher.Chips {
		if chip.BootloaderOffset < p.Offset {
			continue
		}
		at := int(chip.BootloaderOffset - p.Offset)
		if at+header > len(p.Data) || p.Data[at] != 0xE9 {
			continue
		}
		if id := uint16(p.Data[at+12]) | uint16(p.Data[at+13])<<8; id == chip.ImageID {
			return chip
		}
	}
	return nil
}

// split cuts the part at the borders of what the partition table lists, and
// leaves out what is blank.
func (m *merged) split(dropNVS bool) ([]Segment, error) {
	nvs, err := nvsPartition(m.table)
	if err != nil {
		return nil, err
	}
	tableEnd := uint64(m.tableOffset) + flasher.SectorSize
	pieces := []Segment{
		m.cut("bootloader", uint64(m.chip.BootloaderOffset), uint64(m.tableOffset)),
		m.cut("partition table", uint64(m.tableOffset), tableEnd),
	}
	covered := bytes.Clone(m.part.Data)
	m.blank(covered, uint64(m.chip.BootloaderOffset), tableEnd)
	for _, p := range m.table {
		if uint64(p.Offset) < tableEnd {
			continue // newer tables list the bootloader and themselves
		}
		m.blank(covered, uint64(p.Offset), p.End())
		piece := m.cut(p.Label, uint64(p.Offset), p.End())
		switch {
		case p.Label != nvs.Label:
			pieces = append(pieces, piece)
		case len(piece.Data) > 0 && !dropNVS:
			return nil, fmt.Errorf("it holds data in the partition %s, which every unit gets of its own: put what is needed of it into nvs.csv", nvs)
		}
	}
	if i := slices.IndexFunc(covered, notBlank); i >= 0 {
		return nil, fmt.Errorf("it holds data at %#x, which is in no partition", int(m.part.Offset)+i)
	}
	return slices.DeleteFunc(pieces, func(s Segment) bool { return len(s.Data) == 0 }), nil
}

// cut returns what the part holds between two flash offsets, without blank
// sectors at its end.
func (m *merged) cut(label string, from, to uint64) Segment {
	data := m.part.Data[m.index(from):m.index(to)]
	used := 0
	for i := len(data); i > 0; i-- {
		if notBlank(data[i-1]) {
			used = i
			break
		}
	}
	used = min((used+flasher.SectorSize-1)&^(flasher.SectorSize-1), len(data))
	return Segment{Name: m.part.Name + " (" + label + ")", Offset: uint32(from), Data: data[:used]}
}

// blank blanks a copy of the part between two flash offsets.
func (m *merged) blank(data []byte, from, to uint64) {
	for i := m.index(from); i < m.index(to); i++ {
		data[i] = 0xFF
	}
}

// index is where in the part a flash offset is, or the nearest place there is.
func (m *merged) index(offset uint64) int {
	start := uint64(m.part.Offset)
	return int(min(max(offset, start)-start, uint64(len(m.part.Data))))
}

func notBlank(b byte) bool { return b != 0xFF }
