package flasher

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Numbers of the partition table, little-endian throughout
// (esp-idf components/bootloader_support/include/esp_flash_partitions.h).
const (
	partitionMagic    = 0x50AA // bytes AA 50
	partitionMD5Magic = 0xEBEB
	partitionRowSize  = 32
	partitionMD5At    = 16 // of the digest in its row

	// PartitionTableSize is the most that a table takes, in bytes. It has a
	// flash sector to itself.
	PartitionTableSize = 0xC00
)

// PartitionType says what a partition is for.
type PartitionType uint8

// The types of partitions that Espressif has given out.
const (
	AppPartition  PartitionType = 0x00
	DataPartition PartitionType = 0x01
)

// The subtypes that matter here. OTA applications are OTA0 to OTA0+15.
const (
	FactoryApp uint8 = 0x00
	OTA0       uint8 = 0x10

	OTAData  uint8 = 0x00
	NVS      uint8 = 0x02
	CoreDump uint8 = 0x03
	NVSKeys  uint8 = 0x04
	FAT      uint8 = 0x81
	SPIFFS   uint8 = 0x82
	LittleFS uint8 = 0x83
)

// Partition is one row of a partition table.
type Partition struct {
	Type    PartitionType
	SubType uint8
	Offset  uint32 // in flash, bytes
	Size    uint32 // bytes
	Label   string // at most 16 bytes
	Flags   uint32
}

// IsData reports whether p is a data partition of that subtype.
func (p Partition) IsData(subType uint8) bool { return p.Type == DataPartition && p.SubType == subType }

// Encrypted reports whether flash encryption covers the partition.
func (p Partition) Encrypted() bool { return p.Flags&1 != 0 }

// ReadOnly reports whether the firmware refuses to write to the partition.
func (p Partition) ReadOnly() bool { return p.Flags&2 != 0 }

// End is the offset of the first byte after the partition.
func (p Partition) End() uint64 { return uint64(p.Offset) + uint64(p.Size) }

// String returns "nvs (0x9000 to 0xE000)".
func (p Partition) String() string {
	return fmt.Sprintf("%s (%#x to %#x)", p.Label, p.Offset, p.End())
}

// PartitionTable is the rows of a partition table in their order.
type PartitionTable []Partition

// Find returns the partition with that label.
func (t PartitionTable) Find(label string) (Partition, bool) {
	i := slices.IndexFunc(t, func(p Partition) bool { return p.Label == label })
	if i < 0 {
		return Partition{}, false
	}
	return t[i], true
}

// ParsePartitionTable reads a table and checks its MD5, labels, alignment,
// and that no partitions overlap. Bytes after the end of the table are
// ignored. Errors are of kind BadImage.
func ParsePartitionTable(data []byte) (PartitionTable, error) {
	t, err := parsePartitionTable(data)
	if err == nil {
		err = t.check()
	}
	if err != nil {
		return nil, &Error{Op: "read partition table", Kind: BadImage, Err: err}
	}
	return t, nil
}

// IsPartitionTable reports whether data starts like a partition table.
func IsPartitionTable(data []byte) bool {
	return len(data) >= 2 && binary.LittleEndian.Uint16(data) == partitionMagic
}

func parsePartitionTable(data []byte) (PartitionTable, error) {
	if !IsPartitionTable(data) {
		return nil, errors.New("it does not start with AA 50 as partition tables do")
	}
	data = data[:min(len(data), PartitionTableSize)]
	var table PartitionTable
	for at := 0; at+partitionRowSize <= len(data); at += partitionRowSize {
		row := data[at : at+partitionRowSize]
		switch binary.LittleEndian.Uint16(row) {
		case partitionMagic:
			p, err := parsePartition(row)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", len(table), err)
			}
			table = append(table, p)
		case partitionMD5Magic:
			return table, checkTableEnd(data, at)
		case 0xFFFF:
			return nil, errors.New("it has no MD5 row: build with CONFIG_PARTITION_TABLE_MD5 on")
		default:
			return nil, fmt.Errorf("row %d starts with % X, not with AA 50", len(table), row[:2])
		}
	}
	return nil, errors.New("it is cut off: it ends before its MD5 row")
}

// checkTableEnd checks the MD5 row at at, which covers all rows before it, and
// that the blank row which the bootloader stops at follows.
func checkTableEnd(data []byte, at int) error {
	row := data[at : at+partitionRowSize]
	if sum := md5.Sum(data[:at]); !bytes.Equal(sum[:], row[partitionMD5At:]) {
		return errors.New("its MD5 does not match its rows: the file is damaged")
	}
	if !blank(row[2:partitionMD5At]) {
		return errors.New("its MD5 row is damaged")
	}
	next := data[at+partitionRowSize:]
	if len(next) < partitionRowSize || !blank(next[:partitionRowSize]) {
		return errors.New("its MD5 row is not followed by a blank row")
	}
	return nil
}

func blank(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0xFF })
}

func parsePartition(row []byte) (Partition, error) {
	label, padding, _ := bytes.Cut(row[12:28], []byte{0})
	p := Partition{
		Type:    PartitionType(row[2]),
		SubType: row[3],
		Offset:  binary.LittleEndian.Uint32(row[4:]),
		Size:    binary.LittleEndian.Uint32(row[8:]),
		Label:   string(label),
		Flags:   binary.LittleEndian.Uint32(row[28:]),
	}
	notText := func(r rune) bool { return r < ' ' || r >= 0x7F }
	switch {
	case p.Label == "":
		return p, errors.New("it has no label")
	case strings.ContainsFunc(p.Label, notText) || len(bytes.Trim(padding, "\x00")) > 0:
		return p, fmt.Errorf("the label %q is not plain text", row[12:28])
	}
	return p, nil
}

// check is what espressif's gen_esp32part.py checks, less what depends on
// where the table is.
func (t PartitionTable) check() error {
	for i, p := range t {
		switch {
		case p.Size == 0:
			return fmt.Errorf("partition %s has no size", p.Label)
		case p.Offset%SectorSize != 0:
			return fmt.Errorf("partition %s does not start on a flash sector (a multiple of 4096)", p)
		case p.Type == AppPartition && p.Offset%BlockSize != 0:
			return fmt.Errorf("application partition %s does not start on a multiple of 64 KiB", p)
		case p.End() > 1<<32:
			return fmt.Errorf("partition %s ends beyond 4 GiB", p)
		}
		if slices.ContainsFunc(t[:i], func(o Partition) bool { return o.Label == p.Label }) {
			return fmt.Errorf("two partitions are called %s", p.Label)
		}
	}
	byOffset := slices.SortedFunc(slices.Values(t), func(a, b Partition) int {
		return cmp.Compare(a.Offset, b.Offset)
	})
	for i, p := range byOffset[:max(len(byOffset)-1, 0)] {
		if next := byOffset[i+1]; p.End() > uint64(next.Offset) {
			return fmt.Errorf("partitions %s and %s overlap", p, next)
		}
	}
	return nil
}

// MarshalBinary returns the table as it stands in flash, with its MD5, padded
// with FF to PartitionTableSize. It refuses tables that ParsePartitionTable
// would refuse.
func (t PartitionTable) MarshalBinary() ([]byte, error) {
	data := bytes.Repeat([]byte{0xFF}, PartitionTableSize)
	if rows := PartitionTableSize/partitionRowSize - 2; len(t) > rows { // the MD5 and the blank row
		return nil, &Error{Op: "write partition table", Kind: BadImage, Err: fmt.Errorf("%d partitions: a table holds %d", len(t), rows)}
	}
	for i, p := range t {
		row := data[i*partitionRowSize:][:partitionRowSize]
		clear(row)
		binary.LittleEndian.PutUint16(row, partitionMagic)
		row[2], row[3] = uint8(p.Type), p.SubType
		binary.LittleEndian.PutUint32(row[4:], p.Offset)
		binary.LittleEndian.PutUint32(row[8:], p.Size)
		if copy(row[12:28], p.Label) < len(p.Label) {
			return nil, &Error{Op: "write partition table", Kind: BadImage, Err: fmt.Errorf("label %q has more than 16 bytes", p.Label)}
		}
		binary.LittleEndian.PutUint32(row[28:], p.Flags)
	}
	end := len(t) * partitionRowSize
	binary.LittleEndian.PutUint16(data[end:], partitionMD5Magic)
	sum := md5.Sum(data[:end])
	copy(data[end+partitionMD5At:], sum[:])
	_, err := ParsePartitionTable(data)
	return data, err
}
