package espsim_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/nvsgen"
)

const keysAt = 0xF000

// encryptedUnit is the flash of a unit with a keys partition.
func encryptedUnit(t *testing.T, nvs, keys []byte) *espsim.Flash {
	t.Helper()
	flash := unit(t, espsim.ESP32S3, nil)
	if err := flash.Erase(0x8000, 0x1000); err != nil {
		t.Fatal(err)
	}
	program(t, flash, 0x8000, slices.Concat(
		row(1, 2, nvsAt, nvsSize, "nvs"), row(1, 4, keysAt, 0x1000, "nvs_keys"), row(0, 0, appAt, 0x100000, "factory")))
	program(t, flash, nvsAt, nvs)
	program(t, flash, keysAt, keys)
	return flash
}

// TestEncryptedNVS: the firmware reads NVS with the keys that it finds.
func TestEncryptedNVS(t *testing.T) {
	keys, others := nvsgen.NewKeys(), nvsgen.NewKeys()
	// The first fills a page, so that the offset in the partition counts.
	entries := append([]nvsgen.Entry{nvsgen.String("other", "filler", strings.Repeat("x", 3900))}, provisioned()...)
	entries = append(entries, nvsgen.String("other", "more", strings.Repeat("y", 2000)))
	generate := func(k *nvsgen.Keys) []byte {
		image, err := nvsgen.Generate(entries, nvsSize, &nvsgen.Options{Keys: k})
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	damaged := keys.Marshal()
	damaged[40] ^= 0x10
	blank := bytes.Repeat([]byte{0xFF}, 0x1000)
	for _, tc := range []struct {
		name      string
		nvs, keys []byte
		want, not string
	}{
		{"its own keys", generate(keys), keys.Marshal(), "MQTT user: gw-A1B2C3D4E5F6\r\n", "No configuration"},
		{"another unit's keys", generate(keys), others.Marshal(), "No configuration found in flash.", "MQTT user"},
		{"damaged keys", generate(keys), damaged, "the NVS keys are damaged\r\nNo configuration found in flash.", "MQTT user"},
		{"no keys", generate(keys), blank, "No configuration found in flash.", "MQTT user"},
		{"keys, but plain NVS", generate(nil), keys.Marshal(), "No configuration found in flash.", "MQTT user"},
		{"blank keys and plain NVS", generate(nil), blank, "MQTT user: gw-A1B2C3D4E5F6\r\n", "No configuration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, _ := bootLog(t, espsim.Config{Model: espsim.ESP32S3, Flash: encryptedUnit(t, tc.nvs, tc.keys)})
			if !strings.Contains(log, tc.want) || strings.Contains(log, tc.not) || strings.Contains(log, "horse") {
				t.Errorf("want %q, not %q:\n%s", tc.want, tc.not, log)
			}
		})
	}
}
