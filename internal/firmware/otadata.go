package firmware

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"hoptech.co.nz/flashd/flasher"
)

// Numbers of esp_ota_select_entry_t, little-endian
// (esp-idf components/bootloader_support/include/esp_flash_partitions.h).
const (
	otaEntrySize = 32 // sequence u32, label [20], state u32, CRC u32
	otaInvalid   = 3  // ESP_OTA_IMG_INVALID
	otaAborted   = 4  // ESP_OTA_IMG_ABORTED
)

func isOTAData(p flasher.Partition) bool {
	return p.IsData(flasher.OTAData)
}

// otaSequence returns the sequence number of an entry, or 0 if it counts for
// nothing.
func otaSequence(entry []byte) uint32 {
	sequence := binary.LittleEndian.Uint32(entry)
	state := binary.LittleEndian.Uint32(entry[24:])
	crc := binary.LittleEndian.Uint32(entry[28:])
	if sequence == math.MaxUint32 || state == otaInvalid || state == otaAborted || crc != otaCRC(entry) {
		return 0
	}
	return sequence
}

// otaCRC is the CRC-32 of the sequence number with an initial value of all
// ones, as the ROM computes it.
func otaCRC(entry []byte) uint32 {
	return crc32.Update(math.MaxUint32, crc32.IEEETable, entry[:4])
}

// bootPartition returns the partition that the bootloader starts: the one that
// otadata selects, else the factory application, else the first OTA one.
// Otadata may be nil.
func bootPartition(table flasher.PartitionTable, otadata []byte) (flasher.Partition, error) {
	var factory, test *flasher.Partition
	ota := map[uint8]flasher.Partition{}
	for _, p := range table {
		switch {
		case p.Type != flasher.AppPartition:
		case p.SubType == flasher.FactoryApp:
			factory = &p
		case p.SubType >= flasher.OTA0 && p.SubType < flasher.OTA0+16:
			ota[p.SubType-flasher.OTA0] = p
		default:
			test = &p
		}
	}
	if sequence := selectedSequence(otadata); sequence > 0 && len(ota) > 0 {
		if p, ok := ota[uint8((sequence-1)%uint32(len(ota)))]; ok {
			return p, nil
		}
	}
	switch first, ok := ota[0]; {
	case factory != nil:
		return *factory, nil
	case ok:
		return first, nil
	case test != nil:
		return *test, nil
	}
	return flasher.Partition{}, errors.New("the partition table has no application partition")
}

// selectedSequence returns the higher of otadata's two sequence numbers, each
// at the start of a flash sector, or 0 if both are void.
func selectedSequence(otadata []byte) uint32 {
	var highest uint32
	for at := 0; at < 2*flasher.SectorSize && at+otaEntrySize <= len(otadata); at += flasher.SectorSize {
		highest = max(highest, otaSequence(otadata[at:]))
	}
	return highest
}

// newOTAData returns an otadata partition of size bytes that selects the first
// OTA application, as Arduino's boot_app0.bin does.
func newOTAData(size int) []byte {
	data := bytes.Repeat([]byte{0xFF}, size)
	binary.LittleEndian.PutUint32(data, 1)
	binary.LittleEndian.PutUint32(data[28:], otaCRC(data))
	return data
}
