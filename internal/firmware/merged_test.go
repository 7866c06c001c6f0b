package firmware

import (
	"bytes"
	"testing"

	"hoptech.co.nz/flashd/flasher"
)

// Whatever a merged image holds, its pieces are parts of it where they were,
// and none is in the NVS partition.
func FuzzSplitMerged(f *testing.F) {
	table, err := flasher.PartitionTable{
		{Type: flasher.DataPartition, SubType: flasher.NVS, Offset: 0x3000, Size: 0x3000, Label: "nvs"},
		{Type: flasher.DataPartition, SubType: flasher.OTAData, Offset: 0x6000, Size: 0x2000, Label: "otadata"},
	}.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	image := blank(0x6100)
	bootloader := newImageBuilder(&flasher.ESP32, 0).finish() // only its header is looked at
	copy(image[0x1000:], bootloader)
	copy(image[0x2000:], table)
	f.Add(image, uint32(0), true)
	f.Add(image[0x1000:], uint32(0x1000), false)
	f.Add(image[:0x2C00], uint32(0), false)
	f.Fuzz(func(t *testing.T, image []byte, offset uint32, dropNVS bool) {
		part := Segment{Name: "merged.bin", Offset: offset, Data: image}
		before := bytes.Clone(image)
		m, err := findMerged(part)
		if m == nil || err != nil {
			return
		}
		pieces, err := m.split(dropNVS)
		if !bytes.Equal(before, image) {
			t.Fatal("the image was changed")
		}
		if err != nil {
			return
		}
		nvs, err := nvsPartition(m.table)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pieces {
			at := int(p.Offset - offset)
			if !bytes.Equal(p.Data, image[at:at+len(p.Data)]) {
				t.Fatalf("piece %s at %#x is not what was there", p.Name, p.Offset)
			}
			if afterTable := nvs.Offset >= m.tableOffset+flasher.SectorSize; afterTable && uint64(p.Offset) < nvs.End() && end(p) > uint64(nvs.Offset) {
				t.Fatalf("piece %s at %#x is in the partition %s", p.Name, p.Offset, nvs)
			}
		}
	})
}
