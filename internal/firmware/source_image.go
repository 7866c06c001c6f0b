package firmware

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/flasher"
)

// readImage reads one file that holds the whole flash from its beginning, or from
// where the chip boots, as esptool's merge-bin and Arduino (SKETCH.ino.merged.bin)
// make them.
func readImage(root *os.Root, name string) (*build, error) {
	data, err := readPart(root, name)
	if err != nil {
		return nil, err
	}
	for _, offset := range imageOffsets() {
		part := Segment{Name: name, Offset: offset, Data: data}
		m, err := findMerged(part)
		if err != nil {
			return nil, err
		}
		if m != nil {
			b := &build{source: "merged", parts: []Segment{part}}
			if sketch, _, ok := strings.Cut(name, ".ino."); ok {
				b.project = sketch
			}
			return b, nil
		}
	}
	return nil, fmt.Errorf("%s is no image of a whole flash, with bootloader, partition table and application: give the folder of the build, or what esptool merge-bin makes of it", name)
}

// imageOffsets are the places in flash where an image of the whole may begin.
func imageOffsets() []uint32 {
	offsets := []uint32{0}
	for _, chip := range flasher.Chips {
		if !slices.Contains(offsets, chip.BootloaderOffset) {
			offsets = append(offsets, chip.BootloaderOffset)
		}
	}
	return offsets
}
