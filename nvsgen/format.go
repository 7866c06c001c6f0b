package nvsgen

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
)

// The geometry of the format. It is fixed: the firmware has it compiled in
// (ESP-IDF, components/nvs_flash/private_include/nvs_constants.h).
const (
	// PageSize is the size of a page in bytes: one sector of the flash chip,
	// the least that can be erased.
	PageSize = 4096
	// EntrySize is the size of an entry in bytes.
	EntrySize = 32
	// EntriesPerPage is the number of entries of a page.
	EntriesPerPage = 126

	bitmapOffset = 32 // of the entry states in a page
	entryOffset  = 64 // of entry 0 in a page
)

// Limits of the format and of the firmware that reads it.
const (
	// MaxKeyLen is the most bytes of a key or of a namespace name; the 16th
	// byte in an entry is the NUL.
	MaxKeyLen = 15
	// MaxStringLen is the most bytes of a string: with its NUL it fills the
	// 125 data entries that a page has beside the head entry.
	MaxStringLen = 125*EntrySize - 1
	// MaxNamespaces is the most namespaces of a partition. Index 0 holds the
	// names themselves and 255 means "any" to the firmware.
	MaxNamespaces = 254
	// MaxBlobLen is the most bytes of a blob: the firmware refuses an index
	// of more than 127 full chunks.
	MaxBlobLen = 127 * maxChunkLen
	// MaxLenV1 is the most bytes of a blob, and of a string with its NUL, on
	// version 1 pages.
	MaxLenV1 = 1984
	// MinSize is the smallest partition, in bytes, that can be written to:
	// two pages of data and the blank one that the firmware needs.
	MinSize = 3 * PageSize

	maxChunkLen = 125 * EntrySize
)

// Page states, the first word of a page. Each is made from the one before by
// clearing a bit, as flash allows without an erase.
const (
	stateBlank   = 0xFFFFFFFF
	stateActive  = 0xFFFFFFFE
	stateFull    = 0xFFFFFFFC
	stateFreeing = 0xFFFFFFF8
)

// Version bytes of a page; a newer format has a smaller one.
const (
	version1 = 0xFF
	version2 = 0xFE
)

// Entry states, two bits each in the bitmap of a page.
const (
	entryErased  = 0b00
	entryIllegal = 0b01
	entryWritten = 0b10
	entryEmpty   = 0b11
)

const (
	namespaceIndex = 0    // of the entries that name namespaces
	anyNamespace   = 0xFF // in a search
	anyChunk       = 0xFF // chunk byte of everything that is no chunk
	chunkVersion1  = 0x80 // first chunk of a blob's odd writings; even ones start at 0
)

// checksum is the CRC-32 (IEEE) that starts from all ones, as the function in
// the ROM of the chips does it.
func checksum(parts ...[]byte) uint32 {
	crc := uint32(0xFFFFFFFF)
	for _, p := range parts {
		crc = crc32.Update(crc, crc32.IEEETable, p)
	}
	return crc
}

func headerChecksum(page []byte) uint32 { return checksum(page[4:28]) }

func entryChecksum(e []byte) uint32 { return checksum(e[0:4], e[8:32]) }

// putPageHeader writes the header of a new active page.
func putPageHeader(page []byte, seq uint32, version byte) {
	binary.LittleEndian.PutUint32(page[0:], stateActive)
	binary.LittleEndian.PutUint32(page[4:], seq)
	page[8] = version
	for i := 9; i < 28; i++ {
		page[i] = 0xFF
	}
	binary.LittleEndian.PutUint32(page[28:], headerChecksum(page))
}

func setPageState(page []byte, state uint32) { binary.LittleEndian.PutUint32(page, state) }

// entryAt returns the 32 bytes of entry i of a page.
func entryAt(page []byte, i int) []byte {
	return page[entryOffset+i*EntrySize:][:EntrySize:EntrySize]
}

func entryState(page []byte, i int) byte {
	return page[bitmapOffset+i/4] >> (i % 4 * 2) & 0b11
}

func setEntryState(page []byte, i int, state byte) {
	shift := i % 4 * 2
	b := &page[bitmapOffset+i/4]
	*b = *b&^(0b11<<shift) | state<<shift
}

// spanOf is the number of entries of a string or chunk of n bytes: its head
// and its data.
func spanOf(n int) int { return 1 + (n+EntrySize-1)/EntrySize }

// entryPlace says where in an image an entry is, and its state.
type entryPlace struct {
	offset int
	state  byte
}

// allEntries returns all entries of an image of whole pages.
func allEntries(image []byte) iter.Seq2[entryPlace, []byte] {
	return func(yield func(entryPlace, []byte) bool) {
		for base := 0; base < len(image); base += PageSize {
			page := image[base:][:PageSize]
			for i := range EntriesPerPage {
				at := entryPlace{base + entryOffset + i*EntrySize, entryState(page, i)}
				if !yield(at, entryAt(page, i)) {
					return
				}
			}
		}
	}
}
