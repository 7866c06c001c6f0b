package firmware

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/nvsgen"
)

// Demo makes a release for simulated units, called name, for the chip of that
// name. It has all that a real one has (bootloader, partition table, otadata,
// an application of about 1.4 MB) and passes the same checks, but no chip can
// run it: its code is that of the running program, so that it compresses as
// firmware does. Release.Demo says so.
func Demo(imagesDir, name, chip string) (*Release, error) {
	r, err := makeDemo(imagesDir, name, chip, false)
	if err != nil {
		return nil, fmt.Errorf("demo release %s: %w", name, err)
	}
	return r, nil
}

// DemoEncrypted makes a demo release like [Demo] whose units get keys of their
// own and encrypted NVS.
func DemoEncrypted(imagesDir, name, chip string) (*Release, error) {
	r, err := makeDemo(imagesDir, name, chip, true)
	if err != nil {
		return nil, fmt.Errorf("demo release %s: %w", name, err)
	}
	return r, nil
}

func makeDemo(imagesDir, name, chip string, encrypted bool) (*Release, error) {
	if err := checkNew(imagesDir, name); err != nil {
		return nil, err
	}
	target, err := flasher.ChipNamed(chip)
	if err != nil {
		return nil, err
	}
	segments, err := demoSegments(target, encrypted)
	if err != nil {
		return nil, err
	}
	d, err := newDraft(name, "demo", segments, nvsText{text: []byte(defaultTemplate), encrypted: encrypted})
	if err != nil {
		return nil, err
	}
	d.manifest.Demo = true
	return d.save(imagesDir)
}

func demoSegments(chip *flasher.Chip, encrypted bool) ([]Segment, error) {
	code, err := newDemoCode()
	if err != nil {
		return nil, err
	}
	table := demoTable(chip)
	if encrypted {
		table = withKeys(table)
	}
	data, err := table.MarshalBinary()
	if err != nil {
		return nil, err
	}
	otadata, app := table[1], table[2]
	return []Segment{
		{Name: "bootloader", Offset: chip.BootloaderOffset, Data: demoBootloader(chip, code)},
		{Name: "partition table", Offset: 0x8000, Data: data},
		{Name: "otadata", Offset: otadata.Offset, Data: newOTAData(int(otadata.Size))},
		{Name: "application", Offset: app.Offset, Data: demoApp(chip, code)},
	}, nil
}

// demoFlashSize is that of the boards in sight: XIAO ESP32S3 have 8 MB, most
// modules of other kinds 4 MB. In bytes.
func demoFlashSize(chip *flasher.Chip) int {
	if chip == &flasher.ESP32S3 {
		return 8 << 20
	}
	return 4 << 20
}

// demoTable is Arduino's default_8MB.csv, or min_spiffs.csv for 4 MB.
func demoTable(chip *flasher.Chip) flasher.PartitionTable {
	appSize, dataSize := uint32(0x330000), uint32(0x180000)
	if demoFlashSize(chip) == 4<<20 {
		appSize, dataSize = 0x1E0000, 0x20000
	}
	const app0 = 0x10000
	app1 := app0 + appSize
	spiffs := app1 + appSize
	return flasher.PartitionTable{
		{Type: flasher.DataPartition, SubType: flasher.NVS, Offset: 0x9000, Size: 0x5000, Label: "nvs"},
		{Type: flasher.DataPartition, SubType: flasher.OTAData, Offset: 0xE000, Size: 0x2000, Label: "otadata"},
		{Type: flasher.AppPartition, SubType: flasher.OTA0, Offset: app0, Size: appSize, Label: "app0"},
		{Type: flasher.AppPartition, SubType: flasher.OTA0 + 1, Offset: app1, Size: appSize, Label: "app1"},
		{Type: flasher.DataPartition, SubType: flasher.SPIFFS, Offset: spiffs, Size: dataSize, Label: "spiffs"},
		{Type: flasher.DataPartition, SubType: flasher.CoreDump, Offset: spiffs + dataSize, Size: 0x10000, Label: "coredump"},
	}
}

// withKeys makes room for NVS keys at the end of the file system.
func withKeys(table flasher.PartitionTable) flasher.PartitionTable {
	files := &table[4]
	files.Size -= nvsgen.KeysSize
	return append(table, flasher.Partition{
		Type: flasher.DataPartition, SubType: flasher.NVSKeys,
		Offset: uint32(files.End()), Size: nvsgen.KeysSize, Label: "nvs_keys",
	})
}

// demoCode gives out bytes that compress as firmware does.
type demoCode struct{ text, packed ring }

func newDemoCode() (*demoCode, error) {
	text, err := machineCode()
	if err != nil {
		return nil, fmt.Errorf("read own machine code: %w", err)
	}
	return &demoCode{text: ring{data: text}, packed: ring{data: packed(text)}}, nil
}

// machineCode is that of the running program, or as much of it as is needed.
func machineCode() ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".text")
	if section == nil || section.Size == 0 {
		return nil, fmt.Errorf("%s has no .text section", path)
	}
	text := make([]byte, min(section.Size, 1<<20))
	_, err = section.ReadAt(text, 0)
	return text, err
}

func packed(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data) // neither fails when writing to a buffer
	_ = w.Close()
	return b.Bytes()
}

// next returns the next n bytes: 14 KiB of code, 6 KiB of packed data, and so
// on. Code of this machine alone shrinks to 0.45 at zlib's level 9; firmware
// holds packed web pages, certificates and tables and shrinks to 0.62 to 0.68.
func (c *demoCode) next(n int) []byte {
	out := make([]byte, 0, n)
	for len(out) < n {
		out = append(out, c.text.next(min(14<<10, n-len(out)))...)
		out = append(out, c.packed.next(min(6<<10, n-len(out)))...)
	}
	return out
}

// ring is read over and over.
type ring struct {
	data []byte
	at   int
}

// next returns the next bytes, at most n.
func (r *ring) next(n int) []byte {
	out := r.data[r.at:min(r.at+n, len(r.data))]
	r.at = (r.at + len(out)) % len(r.data)
	return out
}

// demoBootloader is about as long as a real one, in bytes.
func demoBootloader(chip *flasher.Chip, code *demoCode) []byte {
	at := demoMemory[chip]
	b := newImageBuilder(chip, at.iram)
	b.add(at.dram, code.next(2<<10))
	b.add(at.iram, code.next(15<<10))
	return b.finish()
}

// demoApp has the segments of an ESP-IDF application in their usual order.
func demoApp(chip *flasher.Chip, code *demoCode) []byte {
	const (
		page       = 64 << 10 // of the MMU that maps flash
		dataSize   = 300 << 10
		codeSize   = 1 << 20
		ramSize    = 18 << 10
		iramSize   = 44 << 10
		fileOffset = imageHeaderSize + segmentHeaderSize // of the first segment
	)
	at := demoMemory[chip]
	b := newImageBuilder(chip, at.iram)
	b.add(at.drom+fileOffset, append(demoDescription(), code.next(dataSize)...))
	b.add(at.dram, code.next(ramSize))
	// Flash is mapped in pages, so code has to lie as far from the start of a
	// page as it does in memory: some of what goes to RAM fills the gap.
	gap := page - (len(b.data)+segmentHeaderSize)%page
	b.add(at.iram, code.next(gap))
	b.add(at.irom+segmentHeaderSize, code.next(codeSize))
	b.add(at.iram+uint32(gap), code.next(iramSize))
	return b.finish()
}

// demoDescription is an esp_app_desc_t
// (esp-idf components/esp_app_format/include/esp_app_desc.h).
func demoDescription() []byte {
	d := binary.LittleEndian.AppendUint32(nil, 0xABCD5432)
	d = append(d, make([]byte, 256-4)...)
	copy(d[16:], "1.0.0")
	copy(d[48:], "gateway-demo")
	copy(d[80:], "00:00:00")
	copy(d[96:], "Jan  1 2026")
	copy(d[112:], "demo")
	return d
}
