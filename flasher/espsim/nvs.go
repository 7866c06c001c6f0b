package espsim

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
)

// A small reader of ESP-IDF's NVS format, enough for what the firmware asks
// for: numbers of one byte and strings. It is written from the format's
// documentation (ESP-IDF, nvs_flash README) and knows nothing of package nvsgen.
const (
	nvsPage    = 4096
	nvsEntry   = 32
	nvsFirst   = 64 // offset of the first entry: header, then state bitmap
	nvsEntries = 126
	nvsU8      = 0x01
	nvsString  = 0x21
	nvsWritten = 0b10 // in the bitmap; 11 is empty, 00 erased

	nvsActive, nvsFull, nvsFreeing = 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8 // states of a page with entries
	nvsVersion2                    = 0xFE                               // in its header; versions count down
)

// Why nvs_flash_init refuses a partition. Much firmware erases it then, and this one
// has no configuration either.
var (
	errNVSVersion = errors.New("ESP_ERR_NVS_NEW_VERSION_FOUND")
	errNVSFull    = errors.New("ESP_ERR_NVS_NO_FREE_PAGES")
)

// checkNVS is what nvs_flash_init refuses (ESP-IDF, nvs_page.cpp and
// nvs_pagemanager.cpp): a version that it does not know, and a partition without a
// page that is blank or damaged. Where a page was being freed when the power went,
// the last page, which its entries were going to, is begun again.
func checkNVS(image []byte) error {
	var last []byte
	free, freeing := false, false
	for page := range slices.Chunk(image, nvsPage) {
		if !nvsSound(page) {
			free = true
			continue
		}
		if page[8] < nvsVersion2 {
			return errNVSVersion
		}
		freeing = freeing || binary.LittleEndian.Uint32(page) == nvsFreeing
		if last == nil || nvsNumber(page) > nvsNumber(last) {
			last = page
		}
	}
	if free || freeing && binary.LittleEndian.Uint32(last) == nvsActive {
		return nil
	}
	return errNVSFull
}

// nvsSound reports whether a page holds entries that count.
func nvsSound(page []byte) bool {
	if len(page) < nvsPage || binary.LittleEndian.Uint32(page[28:]) != espCRC32(page[4:28]) {
		return false
	}
	switch binary.LittleEndian.Uint32(page) {
	case nvsActive, nvsFull, nvsFreeing:
		return true
	default:
		return false
	}
}

// espCRC32 is the CRC-32 of ESP-IDF's formats: esp_rom_crc32_le with a start
// value of FFFFFFFF.
func espCRC32(p []byte) uint32 { return crc32.Update(0xFFFFFFFF, crc32.IEEETable, p) }

// nvsItem is one value found.
type nvsItem struct {
	namespace uint8
	kind      uint8
	key       string
	value     []byte
}

// readNVS returns the values in namespace as raw bytes by key. Of a key that
// was written twice the later one counts.
func readNVS(image []byte, namespace string) map[string][]byte {
	pages := slices.Collect(slices.Chunk(image, nvsPage))
	slices.SortStableFunc(pages, func(a, b []byte) int { return cmp.Compare(nvsNumber(a), nvsNumber(b)) })
	var items []nvsItem
	for _, page := range pages {
		items = append(items, nvsPageItems(page)...)
	}
	values := map[string][]byte{}
	for _, ns := range items {
		if ns.namespace != 0 || ns.kind != nvsU8 || ns.key != namespace {
			continue
		}
		for _, it := range items {
			if it.namespace == ns.value[0] {
				values[it.key] = it.value
			}
		}
	}
	return values
}

// nvsNumber is the number that orders the pages; their place does not.
func nvsNumber(page []byte) uint32 {
	if len(page) < nvsPage {
		return 0
	}
	return binary.LittleEndian.Uint32(page[4:])
}

// nvsPageItems reads the whole entries of a page that are sound.
func nvsPageItems(page []byte) []nvsItem {
	if !nvsSound(page) {
		return nil
	}
	var items []nvsItem
	for i := 0; i < nvsEntries; {
		span := 1
		if page[32+i/4]>>(i%4*2)&3 == nvsWritten {
			entry := page[nvsFirst+i*nvsEntry:][:nvsEntry]
			span = max(int(entry[2]), 1)
			if it, ok := nvsRead(page, i, entry); ok {
				items = append(items, it)
			}
		}
		i += span
	}
	return items
}

// nvsRead reads entry i: namespace, type, span, chunk, CRC, key, and eight
// bytes of value, or length and CRC of data that follows.
func nvsRead(page []byte, i int, entry []byte) (nvsItem, bool) {
	sum := espCRC32(append(bytes.Clone(entry[:4]), entry[8:]...))
	if binary.LittleEndian.Uint32(entry[4:]) != sum {
		return nvsItem{}, false
	}
	key, _, _ := bytes.Cut(entry[8:24], []byte{0})
	it := nvsItem{namespace: entry[0], kind: entry[1], key: string(key), value: entry[24:]}
	if it.kind == nvsString {
		length := int(binary.LittleEndian.Uint16(entry[24:]))
		data := page[nvsFirst+(i+1)*nvsEntry:]
		if length > len(data) || espCRC32(data[:length]) != binary.LittleEndian.Uint32(entry[28:]) {
			return nvsItem{}, false
		}
		it.value = bytes.TrimRight(data[:length], "\x00")
	}
	return it, true
}
