package firmware

import (
	"encoding/binary"
	"testing"

	"hoptech.co.nz/flashd/flasher"
)

func TestBootPartition(t *testing.T) {
	app := func(label string, subType uint8) flasher.Partition {
		return flasher.Partition{Label: label, Type: flasher.AppPartition, SubType: subType}
	}
	factory, test := app("factory", flasher.FactoryApp), app("test", 0x20)
	one, two := app("one", flasher.OTA0), app("two", flasher.OTA0+1)
	nvs := flasher.Partition{Label: "nvs", Type: flasher.DataPartition, SubType: flasher.NVS}

	// otadata has two sectors, each with an entry: sequence and state.
	otadata := func(entries ...[2]uint32) []byte {
		data := blank(2 * flasher.SectorSize)
		for i, e := range entries {
			entry := data[i*flasher.SectorSize:]
			binary.LittleEndian.PutUint32(entry, e[0])
			binary.LittleEndian.PutUint32(entry[24:], e[1])
			binary.LittleEndian.PutUint32(entry[28:], otaCRC(entry))
		}
		return data
	}
	const undefined = 0xFFFFFFFF
	damaged := otadata([2]uint32{2, undefined})
	damaged[28]++
	tests := []struct {
		name    string
		table   flasher.PartitionTable
		otadata []byte
		want    string
	}{
		{"factory only", flasher.PartitionTable{nvs, factory}, nil, "factory"},
		{"factory before OTA", flasher.PartitionTable{nvs, one, two, factory}, nil, "factory"},
		{"blank otadata", flasher.PartitionTable{nvs, factory, one}, otadata(), "factory"},
		{"first OTA", flasher.PartitionTable{nvs, two, one}, nil, "one"},
		{"test only", flasher.PartitionTable{nvs, test}, nil, "test"},
		{"no application", flasher.PartitionTable{nvs}, nil, ""},
		{"as Arduino selects", flasher.PartitionTable{factory, one, two}, newOTAData(0x2000), "one"},
		{"second", flasher.PartitionTable{factory, one, two}, otadata([2]uint32{2, undefined}), "two"},
		{"round again", flasher.PartitionTable{factory, one, two}, otadata([2]uint32{3, undefined}), "one"},
		{"the higher one", flasher.PartitionTable{one, two}, otadata([2]uint32{3, undefined}, [2]uint32{4, undefined}), "two"},
		{"not the invalid one", flasher.PartitionTable{one, two}, otadata([2]uint32{3, undefined}, [2]uint32{4, otaInvalid}), "one"},
		{"not the aborted one", flasher.PartitionTable{one, two}, otadata([2]uint32{4, otaAborted}, [2]uint32{3, undefined}), "one"},
		{"not the damaged one", flasher.PartitionTable{factory, one, two}, damaged, "factory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := bootPartition(tt.table, tt.otadata)
			if p.Label != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("%q, error %v, want %q", p.Label, err, tt.want)
			}
		})
	}
}
