package espsim_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/nvsgen"
)

// page is the header of an NVS page, with nothing in it.
func page(state, number uint32, version byte) []byte {
	p := bytes.Repeat([]byte{0xFF}, nvsgen.PageSize)
	binary.LittleEndian.PutUint32(p, state)
	binary.LittleEndian.PutUint32(p[4:], number)
	p[8] = version
	binary.LittleEndian.PutUint32(p[28:], crc32.Update(0xFFFFFFFF, crc32.IEEETable, p[4:28]))
	return p
}

// A unit whose NVS partition nvs_flash_init refuses has no configuration, whatever
// is in it. Another reading of the format agrees.
func TestNVSThatIsRefused(t *testing.T) {
	const active, full, freeing = 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8
	first, err := nvsgen.Generate(provisioned(), nvsSize, nil)
	if err != nil {
		t.Fatal(err)
	}
	first = first[:nvsgen.PageSize]
	fulls := func(n int) []byte { // as many behind the first page, each with a version that is known
		var all []byte
		for i := range n {
			all = append(all, page(full, uint32(i+1), 0xFE)...)
		}
		return all
	}
	damaged := page(full, 4, 0xFE)
	damaged[10] = 0
	for _, tc := range []struct {
		name string
		nvs  []byte // behind the first page, which is good
		says string // by the firmware; "" if it opens it
	}{
		{"blank pages", nil, ""},
		{"one blank page", fulls(3), ""},
		{"no blank page", fulls(4), "ESP_ERR_NVS_NO_FREE_PAGES"},
		{"a damaged page for a blank one", append(fulls(3), damaged...), ""},
		{"a page being freed, to one that can be begun again", append(append(fulls(2), page(freeing, 3, 0xFE)...), page(active, 4, 0xFE)...), ""},
		{"a page being freed, to none", append(fulls(3), page(freeing, 4, 0xFE)...), "ESP_ERR_NVS_NO_FREE_PAGES"},
		{"a page of a later version", page(full, 1, 0xFD), "ESP_ERR_NVS_NEW_VERSION_FOUND"},
		{"a page of version 1", page(full, 1, 0xFF), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			image := append(bytes.Clone(first), tc.nvs...)
			image = append(image, bytes.Repeat([]byte{0xFF}, nvsSize-len(image))...)
			flash := unit(t, espsim.ESP32S3, nil)
			program(t, flash, nvsAt, image)
			log, _ := bootLog(t, espsim.Config{Model: espsim.ESP32S3, Flash: flash})
			if starts := strings.Contains(log, "MQTT connected."); starts != (tc.says == "") || !strings.Contains(log, tc.says) {
				t.Errorf("want %q:\n%s", tc.says, log)
			}
			p, err := nvsgen.Parse(image)
			if err != nil || (p.Refused != nil) != (tc.says != "") {
				t.Errorf("nvsgen says %v, %v", p.Refused, err)
			}
		})
	}
}
