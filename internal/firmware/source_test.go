package firmware_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

func TestImportNeverOverwrites(t *testing.T) {
	imagesDir, before := demo(t, "esp32s3")
	dir := folder(t, pioFolder(t, "esp32c3"))
	_, err := firmware.Import(imagesDir, "demo", dir, firmware.ImportOptions{})
	if !errors.Is(err, firmware.ErrExists) || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("error %v", err)
	}
	after, err := firmware.Load(imagesDir, "demo")
	if err != nil || after.Digest != before.Digest {
		t.Errorf("the release changed: %v", err)
	}
	onlyFolders(t, imagesDir, "demo")
}

func TestImportRefusesNames(t *testing.T) {
	dir := folder(t, pioFolder(t, "esp32c3"))
	for _, name := range []string{"", ".", "..", "../up", "a/b", ".hidden", "-flag", "with space", "ümlaut", strings.Repeat("x", 65)} {
		if _, err := firmware.Import(t.TempDir(), name, dir, firmware.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "cannot be called") {
			t.Errorf("name %q: error %v", name, err)
		}
		if _, err := firmware.Load(t.TempDir(), name); err == nil || !strings.Contains(err.Error(), "cannot be called") {
			t.Errorf("load %q: error %v", name, err)
		}
	}
}

// A build's manifest cannot make the station read what is outside its folder.
func TestImportStaysInFolder(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.bin")
	if err := os.WriteFile(secret, parts(t, "esp32c3")["app0"], 0o644); err != nil {
		t.Fatal(err)
	}
	web := func(path string) map[string][]byte {
		return map[string][]byte{"manifest.json": asJSON(t, object{"builds": []object{{
			"chipFamily": "ESP32-C3", "parts": []object{{"path": path, "offset": 0}},
		}}})}
	}
	for _, path := range []string{"../secret.bin", secret, "a/../../secret.bin", "https://example.com/app.bin", ".."} {
		wantError(t, web(path), firmware.ImportOptions{}, path)
	}
	wantError(t, map[string][]byte{"flasher_args.json": asJSON(t, object{"flash_files": object{"0x0": "../secret.bin"}})},
		firmware.ImportOptions{}, `"../secret.bin" is not inside the folder`)

	for name, want := range map[string]string{
		"firmware.bin":  "there is no build here",
		"manifest.json": "", // nobody follows it, so that it does no harm
	} {
		dir := folder(t, with(pioFolder(t, "esp32c3"), map[string][]byte{name: nil}))
		if err := os.Symlink(secret, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		_, err := firmware.Import(t.TempDir(), "x", dir, firmware.ImportOptions{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a link out of the folder for %s: error %v, want %q", name, err, want)
		}
	}
}

func TestImportFindsTheBuild(t *testing.T) {
	wantError(t, map[string][]byte{"README.md": []byte("hello")}, firmware.ImportOptions{}, "there is no build here", "flasher_args.json")
	wantError(t, map[string][]byte{"build/flasher_args.json": []byte("{}")}, firmware.ImportOptions{}, "ESP-IDF project", "/build")
	wantError(t, map[string][]byte{".pio/build/xiao/firmware.bin": {1}}, firmware.ImportOptions{}, "PlatformIO project", "/.pio/build/xiao")
	if _, err := firmware.Import(t.TempDir(), "x", "/nowhere/at/all", firmware.ImportOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: error %v", err)
	}
	dir := folder(t, webFolder(t, "esp32c3"))
	if _, err := firmware.Import(t.TempDir(), "x", filepath.Join(dir, "manifest.json"), firmware.ImportOptions{}); err != nil {
		t.Errorf("the manifest itself: %v", err)
	}
	dir = folder(t, idfFolder(t, "esp32c3"))
	if _, err := firmware.Import(t.TempDir(), "x", filepath.Join(dir, "flasher_args.json"), firmware.ImportOptions{}); err != nil {
		t.Errorf("the manifest itself: %v", err)
	}
	for _, file := range []string{"gateway.bin", "bootloader/bootloader.bin", "partition_table/partition-table.bin"} {
		if _, err := firmware.Import(t.TempDir(), "x", filepath.Join(dir, file), firmware.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "no image of a whole flash") {
			t.Errorf("an image alone: error %v", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "gateway.uf2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := firmware.Import(t.TempDir(), "x", filepath.Join(dir, "gateway.uf2"), firmware.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "give the folder") {
		t.Errorf("another file: error %v", err)
	}
}

func TestImportArduino(t *testing.T) {
	files := arduinoFolder(t, "esp32s3")
	wantError(t, with(files, map[string][]byte{"other.ino.bin": {1}}), firmware.ImportOptions{}, "several sketches here (gateway, other)")
	wantError(t, with(files, map[string][]byte{"gateway.ino.partitions.bin": nil}), firmware.ImportOptions{}, "gateway.ino.partitions.bin is missing")
	wantError(t, map[string][]byte{"gateway.ino": nil, "build/esp32.esp32.esp32s3/gateway.ino.bin": {1}}, firmware.ImportOptions{}, "Arduino sketch", "/build/esp32.esp32.esp32s3")
	wantError(t, map[string][]byte{"gateway.ino.merged.bin": {1}}, firmware.ImportOptions{}, "give that itself", "gateway.ino.merged.bin")
}

// One file with the whole flash is as good as its parts, wherever it begins.
func TestImportWholeFlash(t *testing.T) {
	for _, c := range []struct {
		chip  string
		start uint32
	}{{"esp32s3", 0}, {"esp32", 0}, {"esp32", 0x1000}} {
		dir := folder(t, map[string][]byte{"gateway.ino.merged.bin": mergedImage(t, c.chip, c.start), "plain.bin": mergedImage(t, c.chip, c.start)})
		images := t.TempDir()
		for name, file := range map[string]string{"arduino": "gateway.ino.merged.bin", "plain": "plain.bin"} {
			r, err := firmware.Import(images, name, filepath.Join(dir, file), firmware.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Chip != c.chip || r.Source != "merged" || r.Project != "gateway-demo" {
				t.Errorf("release %+v", r)
			}
			want := segments(t, c.chip)
			for i, s := range r.Segments {
				if s.Name != want[i].Name || s.Offset != want[i].Offset || !bytes.HasPrefix(s.Data, want[i].Data[:3072]) {
					t.Errorf("segment %s at %#x, want %s at %#x", s.Name, s.Offset, want[i].Name, want[i].Offset)
				}
			}
		}
	}
}

func TestImportIDF(t *testing.T) {
	idf := idfFolder(t, "esp32s3")
	args := func(v any) map[string][]byte { return with(idf, map[string][]byte{"flasher_args.json": asJSON(t, v)}) }
	wantError(t, with(idf, map[string][]byte{"flasher_args.json": []byte("{")}), firmware.ImportOptions{}, "flasher_args.json")
	wantError(t, args(object{}), firmware.ImportOptions{}, "lists no images")
	wantError(t, args(object{"flash_files": object{"later": "gateway.bin"}}), firmware.ImportOptions{}, `"later" is no flash offset`)
	wantError(t, args(object{"flash_files": object{"0x10001": "gateway.bin"}}), firmware.ImportOptions{}, "multiple of 4096")
	wantError(t, args(object{"flash_files": object{"0x10000": "gateway.bin"}}), firmware.ImportOptions{}, "no partition table")
	wantError(t, args(object{"flash_files": object{"0x8000": "partition_table/partition-table.bin"}}), firmware.ImportOptions{}, "no bootloader")
	wantError(t, args(object{"flash_files": object{"0x10000": "gone.bin"}}), firmware.ImportOptions{}, "gone.bin is missing")
	wantError(t, args(object{"flash_files": object{"0x10000": "gateway.bin", "0x20000": "ota_data_initial.bin"}}), firmware.ImportOptions{}, "overlap")
	wantError(t, args(object{"flash_files": object{"0x10000": "gateway.bin"}, "app": object{"file": "gateway.bin", "encrypted": "true"}}),
		firmware.ImportOptions{}, "app is to be encrypted")
}

// Otadata that the build does not bring is blanked: a unit that was used
// before must boot what is written now.
func TestImportBlanksOTAData(t *testing.T) {
	r, err := firmware.Import(t.TempDir(), "x", folder(t, with(pioFolder(t, "esp32s3"), map[string][]byte{"boot_app0.bin": nil})), firmware.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Segments[2]
	if s.Name != "otadata" || s.Offset != 0xE000 || !bytes.Equal(s.Data, bytes.Repeat([]byte{0xFF}, 0x2000)) {
		t.Errorf("segment %s at %#x with %d bytes", s.Name, s.Offset, len(s.Data))
	}
}

func TestImportPlatformIOFileSystem(t *testing.T) {
	files := with(pioFolder(t, "esp32s3"), map[string][]byte{"littlefs.bin": bytes.Repeat([]byte("file"), 1024)})
	r, err := firmware.Import(t.TempDir(), "x", folder(t, files), firmware.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Segments[len(r.Segments)-1]; s.Name != "spiffs" || s.Offset != 0x670000 || len(s.Data) != 4096 {
		t.Errorf("segment %s at %#x with %d bytes", s.Name, s.Offset, len(s.Data))
	}
}

// The size that a build is told at flashing time goes into the bootloader's
// header, as esptool does it.
func TestImportSetsFlashSize(t *testing.T) {
	dir := folder(t, pioFolder(t, "esp32c3"))
	r, err := firmware.Import(t.TempDir(), "x", dir, firmware.ImportOptions{FlashSize: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	img, err := flasher.ParseImage(r.Segments[0].Data) // checks the SHA-256 as well
	if err != nil {
		t.Fatal(err)
	}
	if r.FlashSize != 16<<20 || img.FlashSize != 16<<20 || img.FlashMHz != 80 || !img.Hashed {
		t.Errorf("release for %d, bootloader for %d bytes of flash", r.FlashSize, img.FlashSize)
	}
	for _, text := range []string{"", "8", "3MB", "0MB", "256MB", "-8MB", "8GB"} {
		if _, err := firmware.ParseFlashSize(text); err == nil {
			t.Errorf("flash size %q was taken", text)
		}
	}
	if n, err := firmware.ParseFlashSize("8mb"); n != 8<<20 || err != nil {
		t.Errorf("8mb: %d, %v", n, err)
	}
}

func TestImportWebToolsChoosesBuild(t *testing.T) {
	files := webFolder(t, "esp32c3")
	build := func(family string) object {
		return object{"chipFamily": family, "parts": []object{
			{"path": "bootloader.bin", "offset": 0},
			{"path": "partitions.bin", "offset": 0x8000},
			{"path": "boot_app0.bin", "offset": 0xE000},
			{"path": "app.bin", "offset": 0x10000},
		}}
	}
	manifest := func(builds ...object) map[string][]byte {
		return with(files, map[string][]byte{"manifest.json": asJSON(t, object{"builds": builds})})
	}
	several := manifest(build("ESP8266"), build("ESP32-C3"), build("ESP32-S3"))
	wantError(t, several, firmware.ImportOptions{}, "several builds (ESP32-C3, ESP32-S3, ESP8266)", "--chip")
	wantError(t, several, firmware.ImportOptions{Chip: "esp32c6"}, "no build for the esp32c6, only for: ESP32-C3")
	wantError(t, several, firmware.ImportOptions{Chip: "esp32s3"}, "images are for the esp32c3, not for the esp32s3")
	wantError(t, manifest(build("ESP32-C3"), build("ESP32-C3")), firmware.ImportOptions{Chip: "esp32c3"}, "2 builds for the esp32c3")
	wantError(t, manifest(build("ESP8266")), firmware.ImportOptions{}, "ESP8266")
	wantError(t, manifest(object{"chipFamily": "ESP32-C3"}), firmware.ImportOptions{}, "has no parts")
	wantError(t, manifest(), firmware.ImportOptions{}, "lists no builds")
	wantError(t, with(files, map[string][]byte{"manifest.json": ownManifest(t)}), firmware.ImportOptions{}, "a release already", "copy its folder")
	for _, name := range []string{"esp32c3", "ESP32-C3"} {
		r, err := firmware.Import(t.TempDir(), "x", folder(t, several), firmware.ImportOptions{Chip: name})
		if err != nil || r.Chip != "esp32c3" {
			t.Errorf("--chip %s: %v, error %v", name, r, err)
		}
	}
}

// A web installer's files may be called as PlatformIO calls them: its manifest knows
// of more.
func TestImportWebToolsBeforePlatformIO(t *testing.T) {
	files := pioFolder(t, "esp32c3")
	part := func(path string, offset any) object { return object{"path": path, "offset": offset} }
	manifest := func(offset any) []byte {
		return asJSON(t, object{"builds": []object{{"chipFamily": "ESP32-C3", "parts": []object{
			part("bootloader.bin", 0), part("partitions.bin", 0x8000), part("boot_app0.bin", 0xE000), part("firmware.bin", offset),
		}}}})
	}
	files["manifest.json"] = manifest(0x10000)
	r, err := firmware.Import(t.TempDir(), "x", folder(t, files), firmware.ImportOptions{})
	if err != nil || r.Source != "esp-web-tools" {
		t.Errorf("imported as %v, error %v", r, err)
	}
	for offset, want := range map[any]string{
		"0x10000": "builds.parts.offset is a string: want a number from 0 to 4294967295",
		-4096:     "builds.parts.offset is a number -4096: want a number",
	} {
		files["manifest.json"] = manifest(offset)
		wantError(t, files, firmware.ImportOptions{}, want)
	}
	idf := with(idfFolder(t, "esp32c3"), map[string][]byte{"manifest.json": manifest(0x10000)})
	if r, err := firmware.Import(t.TempDir(), "x", folder(t, idf), firmware.ImportOptions{}); err != nil || r.Source != "esp-idf" {
		t.Errorf("an ESP-IDF build with a manifest.json: imported as %v, error %v", r, err)
	}
	files["manifest.json"] = []byte("<html>")
	wantError(t, files, firmware.ImportOptions{}, "manifest.json: it is no JSON")
}

// Applications built with Arduino carry the description of Arduino's library;
// a manifest knows better.
func TestImportOfArduino(t *testing.T) {
	files := webFolder(t, "esp32c3")
	for project, want := range map[string]string{"arduino-lib-builder": "Gateway 2.0", "": "Gateway 2.0", "gateway": "gateway 1.0.0"} {
		app := bytes.Clone(files["app.bin"])
		at := 24 + 8 + 48 // header, segment header, project_name in esp_app_desc_t
		clear(app[at : at+32])
		copy(app[at:], project)
		r, err := firmware.Import(t.TempDir(), "x", folder(t, with(files, map[string][]byte{"app.bin": resealed(t, app)})), firmware.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Project + " " + r.Version; got != want {
			t.Errorf("project %q: imported as %q, want %q", project, got, want)
		}
	}
}

// resealed renews the checksum and SHA-256 of an image whose segments changed.
func resealed(t *testing.T, image []byte) []byte {
	t.Helper()
	body := image[:len(image)-sha256.Size]
	at, sum := 24, byte(0xEF)
	for range image[1] {
		size := int(binary.LittleEndian.Uint32(image[at+4:]))
		for _, b := range image[at+8 : at+8+size] {
			sum ^= b
		}
		at += 8 + size
	}
	body[len(body)-1] = sum
	digest := sha256.Sum256(body)
	return append(body, digest[:]...)
}

// ownManifest is the manifest of a release.
func ownManifest(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	if _, err := firmware.Demo(dir, "demo", "esp32c3"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "demo", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
