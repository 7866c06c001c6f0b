package flasher_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
)

func testTable() flasher.PartitionTable {
	return flasher.PartitionTable{
		{Type: flasher.DataPartition, SubType: flasher.NVS, Offset: 0x9000, Size: 0x5000, Label: "nvs"},
		{Type: flasher.DataPartition, SubType: flasher.OTAData, Offset: 0xE000, Size: 0x2000, Label: "otadata"},
		{Type: flasher.AppPartition, SubType: flasher.OTA0, Offset: 0x10000, Size: 0x300000, Label: "app0"},
		{Type: flasher.AppPartition, SubType: flasher.OTA0 + 1, Offset: 0x310000, Size: 0x300000, Label: "sixteen_bytes_ok", Flags: 1},
		{Type: flasher.DataPartition, SubType: flasher.SPIFFS, Offset: 0x610000, Size: 0x1E0123, Label: "spiffs", Flags: 2},
	}
}

func marshal(t testing.TB, table flasher.PartitionTable) []byte {
	t.Helper()
	data, err := table.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The default table of ESP-IDF ("Single factory app, no OTA") as
// gen_esp32part.py writes it.
const idfTable = "" +
	"\xaa\x50\x01\x02\x00\x90\x00\x00\x00\x60\x00\x00nvs\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\xaa\x50\x01\x01\x00\xf0\x00\x00\x00\x10\x00\x00phy_init\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\xaa\x50\x00\x00\x00\x00\x01\x00\x00\x00\x10\x00factory\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\xeb\xeb\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xf4\xad\x4f\x45\x38\x56\x4b\x5d\x74\x35\xb6\x2c\x75\xb6\x95\x24"

func TestPartitionTableOfESPIDF(t *testing.T) {
	data := []byte(idfTable + strings.Repeat("\xff", 0xC00-len(idfTable)))
	got, err := flasher.ParsePartitionTable(data)
	if err != nil {
		t.Fatal(err)
	}
	want := flasher.PartitionTable{
		{Type: flasher.DataPartition, SubType: flasher.NVS, Offset: 0x9000, Size: 0x6000, Label: "nvs"},
		{Type: flasher.DataPartition, SubType: 1, Offset: 0xF000, Size: 0x1000, Label: "phy_init"},
		{Type: flasher.AppPartition, SubType: flasher.FactoryApp, Offset: 0x10000, Size: 1 << 20, Label: "factory"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(marshal(t, got), data) {
		t.Error("it does not marshal to the same bytes")
	}
}

func TestPartitionTable(t *testing.T) {
	want := testTable()
	data := marshal(t, want)
	got, err := flasher.ParsePartitionTable(append(data, "a signature"...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	p, ok := got.Find("sixteen_bytes_ok")
	if !ok || !p.Encrypted() || p.ReadOnly() || p.Offset != 0x310000 {
		t.Errorf("Find: %+v, %v", p, ok)
	}
	if p, ok := got.Find("spiffs"); !ok || p.Encrypted() || !p.ReadOnly() {
		t.Errorf("Find: %+v, %v", p, ok)
	}
	if _, ok := got.Find("nv"); ok {
		t.Error("Find found a partition that is not there")
	}
}

func TestParsePartitionTableRefuses(t *testing.T) {
	damaged := func(change func(data []byte)) []byte {
		data := marshal(t, testTable())
		change(data)
		return data
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "AA 50"},
		{"blank", bytes.Repeat([]byte{0xFF}, 0xC00), "AA 50"},
		{"a byte changed", damaged(func(d []byte) { d[5]++ }), "MD5 does not match"},
		{"MD5 changed", damaged(func(d []byte) { d[5*32+31]++ }), "MD5 does not match"},
		{"no MD5", damaged(func(d []byte) { copy(d[5*32:], bytes.Repeat([]byte{0xFF}, 32)) }), "no MD5 row"},
		{"junk row", damaged(func(d []byte) { copy(d[3*32:], "junk") }), "row 3 starts with 6A 75"},
		{"MD5 row not blank", damaged(func(d []byte) { d[5*32+9] = 0 }), "MD5 row is damaged"},
		{"rows after MD5", damaged(func(d []byte) { copy(d[6*32:], "more") }), "not followed by a blank row"},
		{"cut", marshal(t, testTable())[:64], "cut off"},
		{"cut after MD5", marshal(t, testTable())[:6*32], "not followed by a blank row"},
		{"label not text", damaged(func(d []byte) { d[12] = 0x07 }), "not plain text"},
		{"label behind NUL", damaged(func(d []byte) { d[20] = 'x' }), "not plain text"},
		{"no label", damaged(func(d []byte) { clear(d[12:28]) }), "no label"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := flasher.ParsePartitionTable(tt.data)
			if !errors.Is(err, flasher.BadImage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want bad_image with %q", err, tt.want)
			}
		})
	}
}

func TestPartitionTableCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(t flasher.PartitionTable)
		want   string
	}{
		{"overlap", func(t flasher.PartitionTable) { t[0].Size = 0x6000 }, "nvs (0x9000 to 0xf000) and otadata (0xe000 to 0x10000) overlap"},
		{"overlap out of order", func(t flasher.PartitionTable) { t[4].Offset = 0x300000 }, "app0 (0x10000 to 0x310000) and spiffs"},
		{"app off its 64 KiB", func(t flasher.PartitionTable) { t[3].Offset = 0x311000 }, "multiple of 64 KiB"},
		{"data off its sector", func(t flasher.PartitionTable) { t[4].Offset++ }, "flash sector"},
		{"no size", func(t flasher.PartitionTable) { t[1].Size = 0 }, "otadata has no size"},
		{"beyond 4 GiB", func(t flasher.PartitionTable) { t[4].Size = 0xFFFFF000 }, "beyond 4 GiB"},
		{"same label", func(t flasher.PartitionTable) { t[4].Label = "nvs" }, "two partitions are called nvs"},
		{"long label", func(t flasher.PartitionTable) { t[4].Label = "seventeen_letters" }, "more than 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := testTable()
			tt.change(table)
			_, err := table.MarshalBinary()
			if !errors.Is(err, flasher.BadImage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want bad_image with %q", err, tt.want)
			}
		})
	}
}

func TestPartitionTableFull(t *testing.T) {
	var table flasher.PartitionTable
	for i := range 94 {
		table = append(table, flasher.Partition{
			Type: flasher.DataPartition, SubType: 0x40, Label: "p" + string(rune('!'+i)),
			Offset: 0x9000 + uint32(i)*flasher.SectorSize, Size: flasher.SectorSize,
		})
	}
	got, err := flasher.ParsePartitionTable(marshal(t, table))
	if err != nil || len(got) != len(table) {
		t.Fatalf("%d partitions, error %v", len(got), err)
	}
	if _, err := append(table, table[0]).MarshalBinary(); !errors.Is(err, flasher.BadImage) {
		t.Errorf("95 partitions: error %v", err)
	}
}

func FuzzParsePartitionTable(f *testing.F) {
	f.Add(marshal(f, testTable()))
	f.Add(marshal(f, testTable())[:7*32])
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := flasher.ParsePartitionTable(data)
		if err != nil {
			if !errors.Is(err, flasher.BadImage) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		// What parses marshals to the same bytes, up to the end of the table.
		rows := (len(table) + 1) * 32
		if again := marshal(t, table); !bytes.Equal(again[:rows], data[:rows]) {
			t.Fatalf("parsed\n% x\nmarshalled\n% x", data[:rows], again[:rows])
		}
	})
}
