package nvsgen

import (
	"bytes"
	"encoding/binary"
)

// item is the head entry of a key as the flash holds it.
type item [EntrySize]byte

func (it *item) namespace() byte    { return it[0] }
func (it *item) kind() Type         { return Type(it[1]) }
func (it *item) span() int          { return int(it[2]) }
func (it *item) chunk() byte        { return it[3] }
func (it *item) length() int        { return int(binary.LittleEndian.Uint16(it[24:])) }
func (it *item) dataCRC() uint32    { return binary.LittleEndian.Uint32(it[28:]) }
func (it *item) blobLen() uint32    { return binary.LittleEndian.Uint32(it[24:]) }
func (it *item) chunkCount() int    { return int(it[28]) }
func (it *item) firstChunk() byte   { return it[29] }
func (it *item) key() string        { return keyText(it[8:24]) }
func (it *item) checksumOK() bool   { return binary.LittleEndian.Uint32(it[4:]) == entryChecksum(it[:]) }
func (it *item) hash() uint32       { return searchHash(it[0:1], it[8:24], it[3:4]) }
func (it *item) number() Value      { return numberFrom(it.kind(), it[24:32]) }
func (it *item) fits(data int) bool { return it.span() == spanOf(data) }

// keyText is the key in a field of 16 bytes: what stands before the NUL, of
// which the firmware reads no more than 15 bytes.
func keyText(field []byte) string {
	field = field[:MaxKeyLen]
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}

// searchHash is what the firmware finds keys by in memory: 24 bits of a CRC.
// Two keys of a page can share it.
func searchHash(ns, keyField, chunk []byte) uint32 { return checksum(ns, keyField, chunk) & 0xFFFFFF }

func keyField(key string) []byte {
	field := make([]byte, MaxKeyLen+1)
	copy(field[:MaxKeyLen], key)
	return field
}

// fault returns what is wrong with a head at entry i of a page, or "".
// The firmware erases a head with a fault.
func (it *item) fault(i int) string {
	if !it.checksumOK() {
		return "the checksum of the entry is wrong"
	}
	switch it.kind() {
	case TypeU8, TypeI8, TypeU16, TypeI16, TypeU32, TypeI32, TypeU64, TypeI64, TypeFloat, TypeDouble:
		if it.span() != 1 {
			return "a number spans more than its entry"
		}
	case typeBlobIndex:
		if it.span() != 1 || it.chunk() != anyChunk || it.blobLen() > MaxBlobLen {
			return "the blob index is impossible"
		}
	case TypeString, TypeBlob, typeBlobData:
		if it.kind() == typeBlobData && it.chunk() == anyChunk {
			return "the blob chunk has no number"
		}
		if i+spanOf(it.length()) > EntriesPerPage {
			return "the value runs over the end of the page"
		}
		if !it.fits(it.length()) {
			return "the span does not suit the length"
		}
	default:
		return "the type is unknown"
	}
	return ""
}
