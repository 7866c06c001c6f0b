package firmware

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"hoptech.co.nz/flashd/flasher"
)

// unlisted is a build whose folder does not tell where its parts go: that comes
// from the chip and the partition table.
type unlisted struct {
	source                      string
	bootloader, partitions, app string // files
}

// unlistedTable is where PlatformIO and Arduino write the partition table.
const unlistedTable = 0x8000

func (u unlisted) read(root *os.Root) (*build, error) {
	p := unlistedReader{root: root, build: &build{source: u.source}}
	bootloader := p.read(u.bootloader)
	partitions := p.read(u.partitions)
	firmware := p.read(u.app)
	if p.err != nil {
		return nil, p.err
	}
	img, err := flasher.ParseImage(bootloader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.bootloader, plainly(err))
	}
	chip, err := flasher.ChipNamed(img.Chip)
	if err != nil {
		return nil, err
	}
	if p.table, err = flasher.ParsePartitionTable(partitions); err != nil {
		return nil, fmt.Errorf("%s: %w", u.partitions, plainly(err))
	}
	app, err := bootPartition(p.table, nil)
	if err != nil {
		return nil, err
	}
	p.add(u.bootloader, chip.BootloaderOffset, bootloader)
	p.add(u.partitions, unlistedTable, partitions)
	p.addData(flasher.OTAData, "boot_app0.bin", "ota_data_initial.bin")
	p.add(u.app, app.Offset, firmware)
	p.addData(flasher.SPIFFS, "spiffs.bin", "littlefs.bin") // Arduino keeps LittleFS in a spiffs partition
	p.addData(flasher.LittleFS, "littlefs.bin")
	p.addData(flasher.FAT, "fatfs.bin")
	return p.build, p.err
}

type unlistedReader struct {
	root  *os.Root
	build *build
	table flasher.PartitionTable
	err   error // the first one
}

func (p *unlistedReader) read(name string) []byte {
	data, err := readPart(p.root, name)
	p.err = cmp.Or(p.err, err)
	return data
}

func (p *unlistedReader) add(name string, offset uint32, data []byte) {
	p.build.parts = append(p.build.parts, Segment{Name: name, Offset: offset, Data: data})
}

// addData adds the first of the named files that there is, if the table has a
// data partition of that subtype for it.
func (p *unlistedReader) addData(subType uint8, names ...string) {
	i := slices.IndexFunc(p.table, func(q flasher.Partition) bool {
		return q.IsData(subType)
	})
	for _, name := range names {
		if i >= 0 && hasFile(p.root, name) {
			p.add(name, p.table[i].Offset, p.read(name))
			return
		}
	}
}
