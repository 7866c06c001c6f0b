package firmware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/firmware"
)

func change(t *testing.T, path string, edit func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLoadNotFound(t *testing.T) {
	_, err := firmware.Load(t.TempDir(), "gateway-1.4.2")
	if !errors.Is(err, firmware.ErrNotFound) || !strings.Contains(err.Error(), "gateway-1.4.2") {
		t.Errorf("error %v", err)
	}
}

// Any change of any file that the manifest stands for is noticed.
func TestLoadRefusesChangedFiles(t *testing.T) {
	imagesDir, _ := demo(t, "esp32s3")
	dir := filepath.Join(imagesDir, "demo")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == ".zlib" })
	if len(entries) != 6 {
		t.Fatalf("%d files, want 4 images, template and manifest", len(entries))
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		original, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		restore := func() {
			if err := os.WriteFile(path, original, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for name, edit := range map[string]func([]byte) []byte{
			"a bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"cut":           func(b []byte) []byte { return b[:len(b)-2] },
			"emptied":       func([]byte) []byte { return nil },
		} {
			if e.Name() == "manifest.json" && name == "a bit flipped" {
				continue // see TestLoadRefusesManifests
			}
			change(t, path, edit)
			if _, err := firmware.Load(imagesDir, "demo"); err == nil || !strings.Contains(err.Error(), e.Name()) {
				t.Errorf("%s %s: error %v", e.Name(), name, err)
			}
			restore()
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := firmware.Load(imagesDir, "demo"); err == nil || !strings.Contains(err.Error(), e.Name()) {
			t.Errorf("%s removed: error %v", e.Name(), err)
		}
		restore()
	}
	if _, err := firmware.Load(imagesDir, "demo"); err != nil {
		t.Errorf("with all files as they were: %v", err)
	}
}

func TestLoadRefusesManifests(t *testing.T) {
	imagesDir, _ := demo(t, "esp32s3")
	path := filepath.Join(imagesDir, "demo", "manifest.json")
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	nvs := func(m object) object { return m["nvs"].(object) }
	segment := func(m object, i int) object { return m["segments"].([]any)[i].(object) }
	tests := []struct {
		name string
		edit func(m object)
		want string
	}{
		{"schema", func(m object) { m["schema"] = 2 }, "schema 2 is not the one"},
		{"no schema", func(m object) { delete(m, "schema") }, "schema 0"},
		{"name", func(m object) { m["name"] = "other" }, `called "other"`},
		{"unknown field", func(m object) { m["flash_mode"] = "dio" }, `unknown field "flash_mode"`},
		{"unknown field inside", func(m object) { nvs(m)["cipher"] = "xts" }, `unknown field "cipher"`},
		{"encrypted without a place for keys", func(m object) { nvs(m)["encrypted"] = true }, "the partition table has no nvs_keys partition"},
		{"encrypted in another way", func(m object) { nvs(m)["encrypted"] = "hmac" }, "nvs.encrypted"},
		{"chip", func(m object) { m["chip"] = "esp32c3" }, "images are for the esp32s3, but the manifest says esp32c3"},
		{"no chip", func(m object) { delete(m, "chip") }, "no chip is called"},
		{"flash size", func(m object) { m["flash_size"] = 4 << 20 }, "8 MiB of flash, but the manifest says 4 MiB"},
		{"flash size as text", func(m object) { m["flash_size"] = "8MB" }, "flash_size"},
		{"no segments", func(m object) { m["segments"] = []any{} }, "no segments"},
		{"segment left out", func(m object) { m["segments"] = m["segments"].([]any)[:3] }, "no application"},
		{"offset", func(m object) { segment(m, 3)["offset"] = "0x340000" }, "no application in the partition app0"},
		{"offset not a number", func(m object) { segment(m, 3)["offset"] = "app0" }, `"app0" is not a flash address`},
		{"offset over the table", func(m object) { segment(m, 3)["offset"] = "0x8000" }, "overlap"},
		{"size", func(m object) { segment(m, 3)["size"] = 0 }, "size 0"},
		{"hash", func(m object) { segment(m, 3)["sha256"] = "00" }, "64 hex digits"},
		{"file above", func(m object) { segment(m, 3)["file"] = "../app0.bin" }, "plain name"},
		{"file elsewhere", func(m object) { segment(m, 3)["file"] = "/etc/passwd" }, "plain name"},
		{"file twice", func(m object) { segment(m, 3)["file"] = "otadata.bin" }, "named twice"},
		{"template above", func(m object) { nvs(m)["template"] = "../nvs.csv" }, "plain name"},
		{"nvs elsewhere", func(m object) { nvs(m)["offset"] = "0xa000" }, "the partition table has nvs (0x9000 to 0xe000), but the manifest says nvs at 0xa000"},
		{"nvs larger", func(m object) { nvs(m)["size"] = 0x7000 }, "but the manifest says nvs at 0x9000 with 28672"},
		{"nvs namespace", func(m object) { nvs(m)["namespace"] = "settings" }, "does not set settings/mqtt_user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m object
			if err := json.Unmarshal(original, &m); err != nil {
				t.Fatal(err)
			}
			tt.edit(m)
			if err := os.WriteFile(path, asJSON(t, m), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := firmware.Load(imagesDir, "demo")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "release demo") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	for _, tail := range []string{"{}", "x", "]"} {
		if err := os.WriteFile(path, append(bytes.Clone(original), tail...), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := firmware.Load(imagesDir, "demo"); err == nil || !strings.Contains(err.Error(), "follows the manifest") {
			t.Errorf("manifest with %q behind it: error %v", tail, err)
		}
	}
}

// A release folder cannot lead the station to files outside of it.
func TestLoadStaysInFolder(t *testing.T) {
	imagesDir, _ := demo(t, "esp32s3")
	file := filepath.Join(imagesDir, "demo", "app0.bin")
	outside := filepath.Join(t.TempDir(), "app0.bin")
	if err := os.Rename(file, outside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, file); err != nil {
		t.Fatal(err)
	}
	if _, err := firmware.Load(imagesDir, "demo"); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("error %v", err)
	}
}

func TestList(t *testing.T) {
	imagesDir, r := demo(t, "esp32s3")
	if _, err := firmware.Demo(imagesDir, "a-second", "esp32c3"); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"broken/manifest.json": "{", ".import-123/manifest.json": "{", "README.md": "hello"} {
		path := filepath.Join(imagesDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := firmware.List(imagesDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%d releases: %+v", len(list), list)
	}
	if list[0].Name != "a-second" || list[0].Chip != "esp32c3" {
		t.Errorf("%+v", list[0])
	}
	if list[1].Name != "broken" || !strings.Contains(list[1].Problem, "cut off") {
		t.Errorf("%+v", list[1])
	}
	want := firmware.Summary{
		Name: "demo", Chip: "esp32s3", FlashSize: 8 << 20, Project: "gateway-demo", Version: "1.0.0", Source: "demo",
		Imported: r.Imported, Bytes: r.Bytes(), Demo: true, Digest: r.Digest,
		NVS: firmware.SegmentSummary{Name: r.NVS.Label, Offset: r.NVS.Offset, Size: r.NVS.Size},
	}
	for _, seg := range r.Segments {
		want.Segments = append(want.Segments, firmware.SegmentSummary{Name: seg.Name, Offset: seg.Offset, Size: len(seg.Data), SHA256: seg.SHA256})
	}
	if diff := cmp.Diff(want, list[2]); diff != "" {
		t.Error(diff)
	}
	if _, err := firmware.List(filepath.Join(imagesDir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: error %v", err)
	}
}
