package firmware_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

// demo returns a demo release in a folder of its own.
func demo(t testing.TB, chip string) (imagesDir string, r *firmware.Release) {
	t.Helper()
	imagesDir = t.TempDir()
	r, err := firmware.Demo(imagesDir, "demo", chip)
	if err != nil {
		t.Fatal(err)
	}
	demos.Store(chip, r)
	return imagesDir, r
}

var demos sync.Map // by chip

// segments are the demo's, made once for each chip. They must not be changed.
func segments(t testing.TB, chip string) []firmware.Segment {
	t.Helper()
	if r, ok := demos.Load(chip); ok {
		return r.(*firmware.Release).Segments
	}
	_, r := demo(t, chip)
	return r.Segments
}

// parts are the demo's images by name, to build other folders from.
func parts(t testing.TB, chip string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, s := range segments(t, chip) {
		out[s.Name] = s.Data
	}
	return out
}

// folder writes files into a new folder and returns its path.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type object = map[string]any

// idfFolder is a build folder of ESP-IDF.
func idfFolder(t testing.TB, chip string) map[string][]byte {
	p := parts(t, chip)
	target, err := flasher.ChipNamed(chip)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"bootloader/bootloader.bin":           p["bootloader"],
		"partition_table/partition-table.bin": p["partition-table"],
		"ota_data_initial.bin":                p["otadata"],
		"gateway.bin":                         p["app0"],
		"flasher_args.json": asJSON(t, object{
			"write_flash_args": []string{"--flash_mode", "dio"},
			"flash_settings":   object{"flash_mode": "dio", "flash_size": "detect", "flash_freq": "80m"},
			"flash_files": object{
				asHex(target.BootloaderOffset): "bootloader/bootloader.bin",
				"0x8000":                       "partition_table/partition-table.bin",
				"0xe000":                       "ota_data_initial.bin",
				"0x10000":                      "gateway.bin",
			},
			"app":                object{"offset": "0x10000", "file": "gateway.bin", "encrypted": "false"},
			"extra_esptool_args": object{"after": "hard_reset", "stub": true, "chip": chip},
		}),
	}
}

// pioFolder is a build folder of a PlatformIO environment.
func pioFolder(t testing.TB, chip string) map[string][]byte {
	p := parts(t, chip)
	return map[string][]byte{
		"bootloader.bin": p["bootloader"],
		"partitions.bin": p["partition-table"],
		"boot_app0.bin":  p["otadata"],
		"firmware.bin":   p["app0"],
		"firmware.elf":   []byte("not read"),
	}
}

// arduinoFolder is the build folder of an Arduino sketch.
func arduinoFolder(t testing.TB, chip string) map[string][]byte {
	p := parts(t, chip)
	return map[string][]byte{
		"gateway.ino.bootloader.bin": p["bootloader"],
		"gateway.ino.partitions.bin": p["partition-table"],
		"boot_app0.bin":              p["otadata"],
		"gateway.ino.bin":            p["app0"],
		"gateway.ino.merged.bin":     []byte("not read"),
		"gateway.ino.elf":            []byte("not read"),
	}
}

// webFolder is a folder with an ESP Web Tools manifest for one chip.
func webFolder(t testing.TB, chip string) map[string][]byte {
	p := parts(t, chip)
	target, err := flasher.ChipNamed(chip)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"bootloader.bin": p["bootloader"],
		"partitions.bin": p["partition-table"],
		"boot_app0.bin":  p["otadata"],
		"app.bin":        p["app0"],
		"manifest.json": asJSON(t, object{
			"name": "Gateway", "version": "2.0", "new_install_prompt_erase": true,
			"builds": []object{{
				"chipFamily": target.Title,
				"parts": []object{
					{"path": "bootloader.bin", "offset": target.BootloaderOffset},
					{"path": "partitions.bin", "offset": 0x8000},
					{"path": "boot_app0.bin", "offset": 0xE000},
					{"path": "app.bin", "offset": 0x10000},
				},
			}},
		}),
	}
}

// mergedImage is the whole flash up to the end of the application, as
// esptool's merge-bin makes it, from flash offset start on.
func mergedImage(t testing.TB, chip string, start uint32) []byte {
	all := segments(t, chip)
	last := all[len(all)-1]
	data := []byte(strings.Repeat("\xFF", int(last.Offset-start)+len(last.Data)))
	for _, s := range all {
		copy(data[s.Offset-start:], s.Data)
	}
	return data
}

func asHex(n uint32) string { return fmt.Sprintf("%#x", n) }
