package firmware_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

func TestImport(t *testing.T) {
	tests := []struct {
		source, chip string
		files        func(testing.TB, string) map[string][]byte
		opts         firmware.ImportOptions
	}{
		{"esp-idf", "esp32s3", idfFolder, firmware.ImportOptions{}},
		{"esp-idf", "esp32", idfFolder, firmware.ImportOptions{Chip: "ESP32"}},
		{"platformio", "esp32s3", pioFolder, firmware.ImportOptions{Chip: "esp32s3"}},
		{"platformio", "esp32", pioFolder, firmware.ImportOptions{}},
		{"arduino", "esp32s3", arduinoFolder, firmware.ImportOptions{}},
		{"arduino", "esp32", arduinoFolder, firmware.ImportOptions{Chip: "esp32"}},
		{"esp-web-tools", "esp32c3", webFolder, firmware.ImportOptions{}},
		{"esp-web-tools", "esp32p4", webFolder, firmware.ImportOptions{Chip: "esp32p4"}},
	}
	for _, tt := range tests {
		t.Run(tt.source+" "+tt.chip, func(t *testing.T) {
			want := segments(t, tt.chip)
			imagesDir := filepath.Join(t.TempDir(), "images") // made by the import
			r, err := firmware.Import(imagesDir, "gateway-1.4.2", folder(t, tt.files(t, tt.chip)), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if r.Name != "gateway-1.4.2" || r.Source != tt.source || r.Chip != tt.chip || r.Demo ||
				r.Project != "gateway-demo" || r.Version != "1.0.0" || r.FlashSize != flashSize(tt.chip) || r.NVS != (firmware.Partition{Label: "nvs", Offset: 0x9000, Size: 0x5000}) {
				t.Errorf("%+v", r)
			}
			sameSegments(t, want, r.Segments)
			loaded, err := firmware.Load(imagesDir, "gateway-1.4.2")
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Digest != r.Digest {
				t.Errorf("imported %s, loaded %s", r.Digest, loaded.Digest)
			}
			onlyFolders(t, imagesDir, "gateway-1.4.2")
		})
	}
}

func flashSize(chip string) int {
	if chip == "esp32s3" {
		return 8 << 20
	}
	return 4 << 20
}

func sameSegments(t *testing.T, want, got []firmware.Segment) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d segments, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Name != w.Name || g.Offset != w.Offset || g.SHA256 != w.SHA256 || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("segment %s at %#x with %d bytes, want %s at %#x with %d bytes", g.Name, g.Offset, len(g.Data), w.Name, w.Offset, len(w.Data))
		}
	}
}

// onlyFolders checks that nothing but the named is there: no half release.
func onlyFolders(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestImportMerged(t *testing.T) {
	for _, tt := range []struct {
		chip  string
		start uint32
	}{{"esp32s3", 0}, {"esp32", 0}, {"esp32", 0x1000}, {"esp32p4", 0}} {
		t.Run(fmt.Sprintf("%s from %#x", tt.chip, tt.start), func(t *testing.T) {
			want := segments(t, tt.chip)
			r, err := firmware.Import(t.TempDir(), "merged", folder(t, mergedFolder(t, mergedImage(t, tt.chip, tt.start), tt.start, tt.chip)), firmware.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Segments) != len(want) {
				t.Fatalf("%d segments, want %d", len(r.Segments), len(want))
			}
			for i, w := range want {
				g := r.Segments[i]
				if g.Name != w.Name || g.Offset != w.Offset || !bytes.HasPrefix(g.Data, w.Data) || len(g.Data) >= len(w.Data)+flasher.SectorSize {
					t.Errorf("segment %s at %#x with %d bytes, want %s at %#x with %d", g.Name, g.Offset, len(g.Data), w.Name, w.Offset, len(w.Data))
				}
			}
		})
	}
}

func mergedFolder(t testing.TB, image []byte, start uint32, chip string) map[string][]byte {
	target, err := flasher.ChipNamed(chip)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"merged.bin": image,
		"manifest.json": asJSON(t, object{"name": "Gateway", "builds": []object{{
			"chipFamily": target.Title, "parts": []object{{"path": "merged.bin", "offset": start}},
		}}}),
	}
}

// A merged image's own NVS data is only left out when somebody has said what
// goes there instead.
func TestImportMergedWithNVS(t *testing.T) {
	image := mergedImage(t, "esp32s3", 0)
	image[0x9000] = 0xFE
	files := mergedFolder(t, image, 0, "esp32s3")
	wantError(t, files, firmware.ImportOptions{}, "holds data in the partition nvs (0x9000 to 0xe000)")

	files["nvs.csv"] = []byte(goodTemplate)
	r, err := firmware.Import(t.TempDir(), "merged", folder(t, files), firmware.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Segments {
		if s.Offset < 0xE000 && s.Offset+uint32(len(s.Data)) > 0x9000 {
			t.Errorf("segment %s at %#x writes over the NVS partition", s.Name, s.Offset)
		}
	}
}

func TestImportMergedRefuses(t *testing.T) {
	stray := mergedImage(t, "esp32", 0)
	stray[0x20] = 0
	wantError(t, mergedFolder(t, stray, 0, "esp32"), firmware.ImportOptions{}, "holds data at 0x20, which is in no partition")

	damaged := mergedImage(t, "esp32s3", 0)
	damaged[0x8005]++
	wantError(t, mergedFolder(t, damaged, 0, "esp32s3"), firmware.ImportOptions{}, "merged.bin at 0x8000", "MD5 does not match")
}

const goodTemplate = "key,type,encoding,value\ngateway,namespace,,\nmqtt_user,data,string,${mqtt_user}\n" +
	"mqtt_pass,data,string,${mqtt_pass}\nprovisioned,data,u8,1\n"

// wantError checks that an import fails with a sentence and leaves nothing.
func wantError(t *testing.T, files map[string][]byte, opts firmware.ImportOptions, words ...string) {
	t.Helper()
	imagesDir := t.TempDir()
	_, err := firmware.Import(imagesDir, "bad", folder(t, files), opts)
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "flasher:") {
		t.Errorf("error %q is for programmers", err)
	}
	if strings.ContainsRune(err.Error(), '\n') {
		t.Errorf("error %q has more than one line", err)
	}
	onlyFolders(t, imagesDir)
}

// with returns files with some replaced; a nil removes one.
func with(files map[string][]byte, changes map[string][]byte) map[string][]byte {
	out := maps.Clone(files)
	maps.Copy(out, changes)
	maps.DeleteFunc(out, func(_ string, data []byte) bool { return data == nil })
	return out
}

func TestImportRefusesBadImages(t *testing.T) {
	pio := pioFolder(t, "esp32s3")
	flip := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 0x10
		return data
	}
	tests := []struct {
		name    string
		changes map[string][]byte
		opts    firmware.ImportOptions
		want    []string
	}{
		{"damaged application", map[string][]byte{"firmware.bin": flip(pio["firmware.bin"], 5000)}, firmware.ImportOptions{}, []string{"firmware.bin at 0x10000 is no application", "checksum"}},
		{"cut application", map[string][]byte{"firmware.bin": pio["firmware.bin"][:90000]}, firmware.ImportOptions{}, []string{"firmware.bin", "cut off"}},
		{"bootloader twice", map[string][]byte{"firmware.bin": pio["bootloader.bin"]}, firmware.ImportOptions{}, []string{"firmware.bin at 0x10000 is the bootloader once more: want the application"}},
		{"damaged bootloader", map[string][]byte{"bootloader.bin": flip(pio["bootloader.bin"], 5000)}, firmware.ImportOptions{}, []string{"bootloader.bin", "checksum"}},
		{"damaged table", map[string][]byte{"partitions.bin": flip(pio["partitions.bin"], 5)}, firmware.ImportOptions{}, []string{"partitions.bin", "MD5"}},
		{"empty file", map[string][]byte{"firmware.bin": {}}, firmware.ImportOptions{}, []string{"firmware.bin is empty"}},
		{"another chip wanted", nil, firmware.ImportOptions{Chip: "esp32c3"}, []string{"images are for the esp32s3, not for the esp32c3"}},
		{"unknown chip wanted", nil, firmware.ImportOptions{Chip: "esp8266"}, []string{"esp8266"}},
		{"application twice", map[string][]byte{"firmware.bin": append(bytes.Repeat([]byte{0xFF}, 0x330000), 0)}, firmware.ImportOptions{}, []string{"firmware.bin", "too large for the partition app0"}},
		{"a flash too small", nil, firmware.ImportOptions{FlashSize: 4 << 20}, []string{"ends beyond the flash", "4 MiB"}},
		{"otadata selects another", map[string][]byte{"boot_app0.bin": otadata(2)}, firmware.ImportOptions{}, []string{"no application in the partition app1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantError(t, with(pio, tt.changes), tt.opts, tt.want...) })
	}
}

func TestImportRefusesMixedChips(t *testing.T) {
	pio := pioFolder(t, "esp32c6")
	pio["bootloader.bin"] = parts(t, "esp32c3")["bootloader"]
	wantError(t, pio, firmware.ImportOptions{}, "firmware.bin", "is for the esp32c6", "bootloader is for the esp32c3")
	// An ESP32 boots from 0x1000, an ESP32-S2 too, an ESP32-C3 from 0.
	idf := idfFolder(t, "esp32s3")
	idf["bootloader/bootloader.bin"] = parts(t, "esp32")["bootloader"]
	wantError(t, idf, firmware.ImportOptions{}, "bootloader is at 0x0, but the ESP32 boots from 0x1000")
}

// TestImportLargeFlash moves the NVS partition to where only some chips can be written.
func TestImportLargeFlash(t *testing.T) {
	far := table(t, func(t flasher.PartitionTable) flasher.PartitionTable {
		nvs := t[0]
		nvs.Offset = flasher.NarrowFlash
		return append(t[1:], nvs)
	})
	opts := firmware.ImportOptions{FlashSize: 2 * flasher.NarrowFlash}
	c6 := with(idfFolder(t, "esp32c6"), map[string][]byte{"partition_table/partition-table.bin": far})
	wantError(t, c6, opts, "partition nvs (0x1000000 to 0x1005000) lies beyond the first 16 MiB", "ESP32-C6")
	s3 := with(idfFolder(t, "esp32s3"), map[string][]byte{"partition_table/partition-table.bin": far})
	if _, err := firmware.Import(t.TempDir(), "large", folder(t, s3), opts); err != nil {
		t.Error(err)
	}
}

// otadata is what ESP-IDF writes to select an OTA application. The CRCs are
// those that its otatool.py computes.
func otadata(sequence byte) []byte {
	data := bytes.Repeat([]byte{0xFF}, 0x2000)
	crc := map[byte]uint32{1: 0x4743989A, 2: 0x55F63774}[sequence]
	binary.LittleEndian.PutUint32(data, uint32(sequence))
	binary.LittleEndian.PutUint32(data[28:], crc)
	return data
}

// table returns the demo's table for 8 MB, changed.
func table(t testing.TB, change func(flasher.PartitionTable) flasher.PartitionTable) []byte {
	t.Helper()
	parsed, err := flasher.ParsePartitionTable(parts(t, "esp32s3")["partition-table"])
	if err != nil {
		t.Fatal(err)
	}
	data, err := change(parsed).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestImportRefusesBadTables(t *testing.T) {
	idf := idfFolder(t, "esp32s3")
	tests := []struct {
		name   string
		change func(flasher.PartitionTable) flasher.PartitionTable
		want   string
	}{
		{"no nvs", func(t flasher.PartitionTable) flasher.PartitionTable { return t[1:] }, "no nvs partition"},
		{"nvs too small", func(t flasher.PartitionTable) flasher.PartitionTable { t[0].Size = 0x2000; return t }, "at least 12288"},
		{"nvs odd", func(t flasher.PartitionTable) flasher.PartitionTable { t[0].Size = 0x4800; return t }, "multiple of 4096"},
		{"two nvs", func(t flasher.PartitionTable) flasher.PartitionTable {
			t[0].Label = "one"
			t[4].SubType = flasher.NVS
			return t
		}, "none is called nvs"},
		{"nvs under the bootloader", func(t flasher.PartitionTable) flasher.PartitionTable { t[0].Offset = 0x4000; return t }, "overlaps bootloader or partition table"},
		{"nvs where otadata is written", func(t flasher.PartitionTable) flasher.PartitionTable {
			t[0].Size = 0x7000
			return slices.Delete(t, 1, 2)
		}, "ota_data_initial.bin at 0xe000 writes over the partition nvs"},
		{"beyond the flash", func(t flasher.PartitionTable) flasher.PartitionTable { t[5].Size = 0x20000; return t }, "coredump (0x7f0000 to 0x810000) ends beyond the flash"},
		{"application elsewhere", func(t flasher.PartitionTable) flasher.PartitionTable {
			t[2].Offset, t[2].Size = 0x20000, 0x320000
			return t
		}, "gateway.bin at 0x10000 is in no partition"},
		{"other application boots", func(t flasher.PartitionTable) flasher.PartitionTable {
			t[2].SubType, t[3].SubType = flasher.OTA0+1, flasher.OTA0
			return t
		}, "no application in the partition app1"},
		{"no application partition", func(t flasher.PartitionTable) flasher.PartitionTable { return slices.Delete(t, 2, 4) }, "gateway.bin at 0x10000 is in no partition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, with(idf, map[string][]byte{"partition_table/partition-table.bin": table(t, tt.change)}), firmware.ImportOptions{}, tt.want)
		})
	}
}
