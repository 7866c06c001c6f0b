package espsim

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"io"
)

// The keys partition of encrypted NVS (ESP-IDF, "NVS Encryption"): the AES-256
// key of the data, that of the tweak, and the CRC of both.
const (
	subtypeNVSKeys = 0x04
	nvsKeySize     = 32
)

var errNVSKeys = errors.New("the NVS keys are damaged")

// decryptNVS decrypts an NVS image in place with the keys that the unit has. One
// without a keys partition, or with a blank one, has plain NVS.
func decryptNVS(image []byte, flash io.ReaderAt, rows []partition) error {
	p, ok := find(rows, kindData, subtypeNVSKeys)
	if !ok {
		return nil
	}
	var raw [2*nvsKeySize + 4]byte
	if _, err := flash.ReadAt(raw[:], int64(p.offset)); err != nil {
		return errNVSKeys
	}
	if bytes.Count(raw[:], []byte{0xFF}) == len(raw) {
		return nil
	}
	keys := raw[:2*nvsKeySize]
	if binary.LittleEndian.Uint32(raw[2*nvsKeySize:]) != espCRC32(keys) {
		return errNVSKeys
	}
	decryptNVSPages(image, keys[:nvsKeySize], keys[nvsKeySize:])
	return nil
}

// decryptNVSPages decrypts what is written in the pages. Headers and states of
// entries are always plain.
func decryptNVSPages(image, dataKey, tweakKey []byte) {
	for page := 0; page+nvsPage <= len(image); page += nvsPage {
		for i := range nvsEntries {
			if image[page+32+i/4]>>(i%4*2)&3 == nvsWritten {
				at := page + nvsFirst + i*nvsEntry
				decryptXTS(image[at:at+nvsEntry], dataKey, tweakKey, uint64(at))
			}
		}
	}
}

// decryptXTS is XTS-AES-256 (IEEE 1619) for a data unit of whole blocks. The
// number of an NVS entry is its offset in the partition.
func decryptXTS(unit, dataKey, tweakKey []byte, number uint64) {
	data, _ := aes.NewCipher(dataKey) // it only fails for keys of a wrong size
	tweak, _ := aes.NewCipher(tweakKey)
	var t [aes.BlockSize]byte
	binary.LittleEndian.PutUint64(t[:], number)
	tweak.Encrypt(t[:], t[:])
	for b := 0; b < len(unit); b += aes.BlockSize {
		block := unit[b : b+aes.BlockSize]
		for i := range block {
			block[i] ^= t[i]
		}
		data.Decrypt(block, block)
		carry := byte(0)
		for i := range block {
			block[i] ^= t[i]
			t[i], carry = t[i]<<1|carry, t[i]>>7 // times x, in GF(2^128)
		}
		t[0] ^= carry * 0x87
	}
}
