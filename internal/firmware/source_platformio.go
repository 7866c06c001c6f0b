package firmware

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"hoptech.co.nz/flashd/flasher"
)

// pioTable is where PlatformIO writes the partition table.
const pioTable = 0x8000

// isPlatformIO reports whether the folder is that of one environment:
// .pio/build/ENV.
func isPlatformIO(root *os.Root) bool {
	return hasFile(root, "bootloader.bin") && hasFile(root, "partitions.bin") && hasFile(root, "firmware.bin")
}

// readPlatformIO reads the build folder of one PlatformIO environment. It
// lists no offsets: they come from the chip and the partition table.
func readPlatformIO(root *os.Root) (*build, error) {
	p := pioReader{root: root, build: &build{source: "platformio"}}
	bootloader := p.read("bootloader.bin")
	partitions := p.read("partitions.bin")
	firmware := p.read("firmware.bin")
	if p.err != nil {
		return nil, p.err
	}
	img, err := flasher.ParseImage(bootloader)
	if err != nil {
		return nil, fmt.Errorf("bootloader.bin: %w", err)
	}
	chip, err := flasher.ChipNamed(img.Chip)
	if err != nil {
		return nil, err
	}
	if p.table, err = flasher.ParsePartitionTable(partitions); err != nil {
		return nil, fmt.Errorf("partitions.bin: %w", err)
	}
	app, err := bootPartition(p.table, nil)
	if err != nil {
		return nil, err
	}
	p.add("bootloader.bin", chip.BootloaderOffset, bootloader)
	p.add("partitions.bin", pioTable, partitions)
	p.addData(flasher.OTAData, "boot_app0.bin", "ota_data_initial.bin")
	p.add("firmware.bin", app.Offset, firmware)
	p.addData(flasher.SPIFFS, "spiffs.bin", "littlefs.bin") // Arduino keeps LittleFS in a spiffs partition
	p.addData(flasher.LittleFS, "littlefs.bin")
	p.addData(flasher.FAT, "fatfs.bin")
	return p.build, p.err
}

type pioReader struct {
	root  *os.Root
	build *build
	table flasher.PartitionTable
	err   error // the first one
}

func (p *pioReader) read(name string) []byte {
	data, err := readPart(p.root, name)
	p.err = cmp.Or(p.err, err)
	return data
}

func (p *pioReader) add(name string, offset uint32, data []byte) {
	p.build.parts = append(p.build.parts, Segment{Name: name, Offset: offset, Data: data})
}

// addData adds the first of the named files that there is, if the table has a
// data partition of that subtype for it.
func (p *pioReader) addData(subType uint8, names ...string) {
	i := slices.IndexFunc(p.table, func(q flasher.Partition) bool {
		return q.Type == flasher.DataPartition && q.SubType == subType
	})
	for _, name := range names {
		if i >= 0 && hasFile(p.root, name) {
			p.add(name, p.table[i].Offset, p.read(name))
			return
		}
	}
}
