package espsim

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestXTS takes vectors 10 and 11 of IEEE 1619-2018, annex B, cut to the two
// blocks of an NVS entry: XTS-AES-256 works on each block by itself.
func TestXTS(t *testing.T) {
	for _, tc := range []struct {
		number uint64
		plain  string
		cipher string
	}{
		{0xFF, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"},
		{0xFFFF, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11"},
	} {
		unit := unhex(t, tc.cipher)
		decryptXTS(unit, unhex(t, "2718281828459045235360287471352662497757247093699959574966967627"),
			unhex(t, "3141592653589793238462643383279502884197169399375105820974944592"), tc.number)
		if got := hex.EncodeToString(unit); got != tc.plain {
			t.Errorf("data unit %#x: %s, want %s", tc.number, got, tc.plain)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzDecryptNVS: whatever is in table, keys and NVS, only entries that are
// written change, and none outside of whole pages.
func FuzzDecryptNVS(f *testing.F) {
	row := append([]byte{0xAA, 0x50, kindData, subtypeNVSKeys, 0, 0, 0, 0, 0, 0x10, 0, 0}, "nvs_keys"...)
	f.Add(row, bytes.Repeat([]byte{0xAA}, nvsPage))
	f.Add(row, bytes.Repeat([]byte{0xFF}, nvsPage+100))
	f.Fuzz(func(t *testing.T, table, image []byte) {
		rows := readTable(holding(append(make([]byte, tableOffset), table...)))
		flash := holding(make([]byte, 2*nvsKeySize)) // keys of zeros have the CRC FFFFFFFF
		before := bytes.Clone(image)
		if err := decryptNVS(image, flash, rows); err != nil && !bytes.Equal(before, image) {
			t.Fatal("changed with damaged keys")
		}
		for i := range image {
			page, at := i/nvsPage*nvsPage, i%nvsPage
			if image[i] == before[i] {
				continue
			}
			if at < nvsFirst || page+nvsPage > len(image) {
				t.Fatalf("byte %#x changed", i)
			}
			entry := (at - nvsFirst) / nvsEntry
			if before[page+32+entry/4]>>(entry%4*2)&3 != nvsWritten {
				t.Fatalf("entry %d of the page at %#x changed and is not written", entry, page)
			}
		}
	})
}
