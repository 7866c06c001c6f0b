package firmware

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/flasher"
)

// build is what a build left behind, as its own manifest lists it.
type build struct {
	source    string // "esp-idf", "platformio", "arduino", "esp-web-tools", "merged"
	chip      string // as it says itself; "" if it does not
	flashSize int    // for the bootloader's header, bytes; 0 if that is right as it is
	project   string // as it says itself; "" if it does not
	version   string // likewise
	parts     []Segment
}

// arduinoProject is the project in the description of every application that
// is built with Arduino: its library was built before, with a description.
const arduinoProject = "arduino-lib-builder"

// draft makes a release of the build that only needs to be saved.
func (b *build) draft(name string, opts ImportOptions, nvs nvsText) (*draft, error) {
	segments, err := splitMerged(b.parts, nvs.own)
	if err != nil {
		return nil, err
	}
	if size := cmp.Or(opts.FlashSize, b.flashSize); size != 0 {
		if err := setFlashSize(segments, size); err != nil {
			return nil, err
		}
	}
	segments = fillOTAData(segments)
	d, err := newDraft(name, b.source, segments, nvs)
	if err != nil {
		return nil, err
	}
	for _, chip := range []string{opts.Chip, b.chip} {
		if chip != "" && chip != d.manifest.Chip {
			return nil, fmt.Errorf("the images are for the %s, not for the %s", d.manifest.Chip, chip)
		}
	}
	if b.project != "" && (d.manifest.Project == "" || d.manifest.Project == arduinoProject) {
		d.manifest.Project, d.manifest.Version = b.project, b.version
	}
	return d, nil
}

// fillOTAData makes the otadata partition written as a whole, blank where the
// build brings nothing for it, so that a unit that was used before boots what
// is written now.
func fillOTAData(segments []Segment) []Segment {
	table := tableOf(segments)
	i := slices.IndexFunc(table, isOTAData)
	if i < 0 {
		return segments
	}
	p := table[i]
	for j, s := range segments {
		if s.Offset == p.Offset && len(s.Data) < int(p.Size) {
			segments[j].Data = slices.Concat(s.Data, blank(int(p.Size)-len(s.Data)))
		}
		if uint64(s.Offset) < p.End() && end(s) > uint64(p.Offset) {
			return segments
		}
	}
	return append(segments, Segment{Name: p.Label, Offset: p.Offset, Data: blank(int(p.Size))})
}

func blank(n int) []byte { return bytes.Repeat([]byte{0xFF}, n) }

// tableOf returns the partition table among the segments, or nil: that there
// is a good one is checked later.
func tableOf(segments []Segment) flasher.PartitionTable {
	for _, s := range segments {
		if table, err := flasher.ParsePartitionTable(s.Data); err == nil {
			return table
		}
	}
	return nil
}
