package espsim

import (
	"bytes"
	"encoding/binary"
	"io"
)

// The partition table (ESP-IDF, gen_esp32part.py): rows of 32 bytes at 0x8000,
// ended by an MD5 row or by blank flash.
const (
	tableOffset = 0x8000
	tableSize   = 0xC00
	rowSize     = 32
	rowMagic    = 0x50AA // little-endian AA 50
)

// partition is a row of the table.
type partition struct {
	kind, subtype uint8
	offset, size  uint32
	label         string
}

const (
	kindApp, kindData             = 0x00, 0x01
	subtypeFactory, subtypeOTA0   = 0x00, 0x10
	subtypeOTAData, subtypeNVS    = 0x00, 0x02
	otaSlots, otaRecord, otaBlank = 16, 32, 0xFFFFFFFF
)

// readTable returns the rows of the partition table; none when there is no table.
func readTable(flash io.ReaderAt) []partition {
	raw := make([]byte, tableSize)
	if _, err := flash.ReadAt(raw, tableOffset); err != nil {
		return nil
	}
	var rows []partition
	for ; len(raw) >= rowSize && binary.LittleEndian.Uint16(raw) == rowMagic; raw = raw[rowSize:] {
		label, _, _ := bytes.Cut(raw[12:28], []byte{0})
		rows = append(rows, partition{
			kind: raw[2], subtype: raw[3],
			offset: binary.LittleEndian.Uint32(raw[4:]), size: binary.LittleEndian.Uint32(raw[8:]),
			label: string(label),
		})
	}
	return rows
}

// find returns the first row of a type and subtype.
func find(rows []partition, kind, subtype uint8) (partition, bool) {
	for _, p := range rows {
		if p.kind == kind && p.subtype == subtype {
			return p, true
		}
	}
	return partition{}, false
}

// bootable returns the application that the bootloader picks: the slot that the
// OTA data names, else the factory application, else the first OTA slot.
func bootable(flash io.ReaderAt, rows []partition) (partition, bool) {
	slots := 0
	for _, p := range rows {
		if p.kind == kindApp && p.subtype >= subtypeOTA0 && p.subtype < subtypeOTA0+otaSlots {
			slots++
		}
	}
	if seq := otaSequence(flash, rows); seq > 0 && slots > 0 {
		return find(rows, kindApp, subtypeOTA0+uint8((seq-1)%uint32(slots)))
	}
	if p, ok := find(rows, kindApp, subtypeFactory); ok {
		return p, true
	}
	return find(rows, kindApp, subtypeOTA0)
}

// otaSequence is the higher of the two records' sequence numbers; 0 is none.
func otaSequence(flash io.ReaderAt, rows []partition) uint32 {
	data, ok := find(rows, kindData, subtypeOTAData)
	if !ok {
		return 0
	}
	var highest uint32
	for i := range int64(2) {
		var record [otaRecord]byte
		if _, err := flash.ReadAt(record[:], int64(data.offset)+i*sectorSize); err != nil {
			continue
		}
		seq := binary.LittleEndian.Uint32(record[:])
		if seq != otaBlank && binary.LittleEndian.Uint32(record[28:]) == espCRC32(record[:4]) {
			highest = max(highest, seq)
		}
	}
	return highest
}
