package firmware

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"hoptech.co.nz/flashd/flasher"
)

// layout is what the segments of a release amount to in flash.
type layout struct {
	chip       *flasher.Chip
	flashSize  int // bytes
	bootloader *flasher.Image
	apps       map[string]*flasher.Image // by label of their partition
	app        *flasher.Image            // the one that a fresh unit boots
	otadata    []byte                    // nil if none is written

	places []string // "bootloader", "partition-table", or the label of its partition; for each segment

	table       flasher.PartitionTable
	tableOffset uint32
	nvs         flasher.Partition
	keys        *flasher.Partition // of the NVS; nil if that is plain
}

// newLayout checks all that can be known of segments without a chip: see the
// README in firmware-images. It sorts them by offset. With encrypted there has
// to be a partition for NVS keys.
func newLayout(segments []Segment, encrypted bool) (*layout, error) {
	slices.SortFunc(segments, func(a, b Segment) int { return cmp.Compare(a.Offset, b.Offset) })
	if err := checkApart(segments); err != nil {
		return nil, err
	}
	l := &layout{apps: map[string]*flasher.Image{}}
	if err := l.findTable(segments); err != nil {
		return nil, err
	}
	if err := l.findBootloader(segments); err != nil {
		return nil, err
	}
	var err error
	if l.nvs, err = nvsPartition(l.table); err != nil {
		return nil, err
	}
	if encrypted {
		if l.keys, err = keysPartition(l.table); err != nil {
			return nil, err
		}
	}
	if err := l.checkFits(segments); err != nil {
		return nil, err
	}
	if err := l.checkReach(segments); err != nil {
		return nil, err
	}
	for _, s := range segments {
		if err := l.place(s); err != nil {
			return nil, err
		}
	}
	return l, l.findApp()
}

// checkApart checks that no flash sector belongs to two segments: writing one
// would erase part of the other.
func checkApart(segments []Segment) error {
	for i, s := range segments {
		if s.Offset%flasher.SectorSize != 0 {
			return fmt.Errorf("%s does not start on a flash sector (a multiple of 4096)", segmentText(s))
		}
		if i > 0 && sectorEnd(segments[i-1]) > uint64(s.Offset) {
			return fmt.Errorf("%s and %s overlap", segmentText(segments[i-1]), segmentText(s))
		}
	}
	return nil
}

func end(s Segment) uint64 { return uint64(s.Offset) + uint64(len(s.Data)) }

func sectorEnd(s Segment) uint64 {
	return (end(s) + flasher.SectorSize - 1) &^ (flasher.SectorSize - 1)
}

// findTable finds the one segment that is a partition table.
func (l *layout) findTable(segments []Segment) error {
	for _, s := range segments {
		if !flasher.IsPartitionTable(s.Data) {
			continue
		}
		if l.table != nil {
			return fmt.Errorf("there are two partition tables, at %#x and %#x", l.tableOffset, s.Offset)
		}
		var err error
		if l.table, err = flasher.ParsePartitionTable(s.Data); err != nil {
			return fmt.Errorf("%s: %w", segmentText(s), plainly(err))
		}
		l.tableOffset = s.Offset
	}
	if l.table == nil {
		return errors.New("there is no partition table (usually at 0x8000)")
	}
	return nil
}

func (l *layout) findBootloader(segments []Segment) error {
	first := segments[0] // findTable found one, so there is one
	if first.Offset >= l.tableOffset {
		return errors.New("there is no bootloader before the partition table")
	}
	img, err := flasher.ParseImage(first.Data)
	if err != nil {
		return fmt.Errorf("%s is no bootloader: %w", segmentText(first), plainly(err))
	}
	if l.chip, err = flasher.ChipNamed(img.Chip); err != nil {
		return err
	}
	if first.Offset != l.chip.BootloaderOffset {
		return fmt.Errorf("the bootloader is at %#x, but the %s boots from %#x", first.Offset, l.chip, l.chip.BootloaderOffset)
	}
	if end(first) > uint64(l.tableOffset) {
		return fmt.Errorf("the bootloader (%d bytes) reaches into the partition table at %#x", len(first.Data), l.tableOffset)
	}
	l.bootloader, l.flashSize = img, img.FlashSize
	return nil
}

// checkFits checks the partitions and segments against the flash size.
func (l *layout) checkFits(segments []Segment) error {
	tableEnd := uint64(l.tableOffset) + flasher.SectorSize
	for _, p := range l.table {
		if p.End() > uint64(l.flashSize) {
			return fmt.Errorf("partition %s ends beyond the flash: the bootloader's header says %s", p, sizeText(l.flashSize))
		}
		if p.Type <= flasher.DataPartition && uint64(p.Offset) < tableEnd {
			return fmt.Errorf("partition %s overlaps bootloader or partition table: they end at %#x", p, tableEnd)
		}
	}
	for _, s := range segments {
		if end(s) > uint64(l.flashSize) {
			return fmt.Errorf("%s ends at %#x, beyond the flash: the bootloader's header says %s", segmentText(s), end(s), sizeText(l.flashSize))
		}
	}
	return nil
}

// checkReach checks that all that is written can be: beyond what a chip's loaders
// reach it would go over the start of the flash.
func (l *layout) checkReach(segments []Segment) error {
	if l.chip.LargeFlash {
		return nil
	}
	refuse := func(what string) error {
		return fmt.Errorf("%s lies beyond the first %s of the flash, which is all that the loaders of the %s reach: move it in the partition table", what, sizeText(flasher.NarrowFlash), l.chip.Title)
	}
	for _, p := range []*flasher.Partition{&l.nvs, l.keys} {
		if p != nil && p.End() > flasher.NarrowFlash {
			return refuse("partition " + p.String())
		}
	}
	for _, s := range segments {
		if end(s) > flasher.NarrowFlash {
			return refuse(segmentText(s))
		}
	}
	return nil
}

// place checks that a segment is where one belongs.
func (l *layout) place(s Segment) error {
	place := "partition-table"
	switch s.Offset {
	case l.chip.BootloaderOffset:
		place = "bootloader"
	case l.tableOffset:
		if len(s.Data) > flasher.SectorSize {
			return fmt.Errorf("%s reaches beyond the partition table's sector", segmentText(s))
		}
	default:
		p, err := l.partitionOf(s)
		if err != nil {
			return err
		}
		if err := l.checkContent(s, p); err != nil {
			return err
		}
		place = p.Label
	}
	l.places = append(l.places, place)
	return nil
}

// partitionOf returns the partition that a segment lies in.
func (l *layout) partitionOf(s Segment) (flasher.Partition, error) {
	if uint64(s.Offset) < l.nvs.End() && sectorEnd(s) > uint64(l.nvs.Offset) {
		return l.nvs, fmt.Errorf("%s writes over the partition %s that is for credentials: leave it out, and put what it holds into nvs.csv", segmentText(s), l.nvs)
	}
	if k := l.keys; k != nil && uint64(s.Offset) < k.End() && sectorEnd(s) > uint64(k.Offset) {
		return *k, fmt.Errorf("%s writes over the partition %s that is for each unit's own keys: leave it out", segmentText(s), k)
	}
	i := slices.IndexFunc(l.table, func(p flasher.Partition) bool {
		return p.Offset <= s.Offset && uint64(s.Offset) < p.End()
	})
	if i < 0 {
		return flasher.Partition{}, fmt.Errorf("%s is in no partition: check its offset", segmentText(s))
	}
	if p := l.table[i]; end(s) > p.End() {
		return p, fmt.Errorf("%s has %d bytes: it is too large for the partition %s", segmentText(s), len(s.Data), p)
	}
	return l.table[i], nil
}

// checkContent checks a segment in p for what p is for.
func (l *layout) checkContent(s Segment, p flasher.Partition) error {
	switch {
	case p.Type == flasher.AppPartition:
		img, err := flasher.ParseImage(s.Data)
		if err != nil {
			return fmt.Errorf("%s is no application: %w", segmentText(s), plainly(err))
		}
		if img.Chip != l.chip.Name {
			return fmt.Errorf("%s is for the %s, but the bootloader is for the %s", segmentText(s), img.Chip, l.chip.Name)
		}
		if reflect.DeepEqual(img.Segments, l.bootloader.Segments) {
			return fmt.Errorf("%s is the bootloader once more: want the application", segmentText(s))
		}
		if s.Offset != p.Offset {
			return fmt.Errorf("%s does not start where its partition %s does", segmentText(s), p)
		}
		l.apps[p.Label] = img
	case isOTAData(p):
		if s.Offset != p.Offset || len(s.Data) != int(p.Size) {
			return fmt.Errorf("%s does not fill its partition %s", segmentText(s), p)
		}
		l.otadata = s.Data
	}
	return nil
}

// findApp finds the application that a fresh unit boots.
func (l *layout) findApp() error {
	if i := slices.IndexFunc(l.table, isOTAData); i >= 0 && l.otadata == nil {
		return fmt.Errorf("nothing is written to the partition %s: what a unit boots would depend on what was there before", l.table[i])
	}
	p, err := bootPartition(l.table, l.otadata)
	if err != nil {
		return err
	}
	if l.app = l.apps[p.Label]; l.app == nil {
		return fmt.Errorf("there is no application in the partition %s that a fresh unit boots", p)
	}
	return nil
}

// revisions bounds the chip revisions that both bootloader and application
// run on, as major·100 + minor.
func (l *layout) revisions() (minimum, maximum uint16) {
	bound := func(img *flasher.Image) uint16 {
		if img.MaxRevision == 0 { // built before there was an upper bound
			return math.MaxUint16
		}
		return img.MaxRevision
	}
	return max(l.bootloader.MinRevision, l.app.MinRevision), min(bound(l.bootloader), bound(l.app))
}

func segmentText(s Segment) string { return fmt.Sprintf("%s at %#x", s.Name, s.Offset) }

// sizeText writes a size of flash as people do.
func sizeText(n int) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
