package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runImage runs flashd image with those arguments and returns what it printed and its exit code.
func runImage(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &errs
	err := app.RunContext(t.Context(), interspersed(app, append([]string{"flashd", "image"}, args...)))
	code = report(&errs, err)
	return out.String(), errs.String(), code
}

func TestImageCommand(t *testing.T) {
	images := t.TempDir()
	out, _, code := runImage(t, "demo", "--images", images)
	if code != exitDone || !strings.Contains(out, "made demo: a demo for simulated units for the esp32s3 with 8 MiB of flash") ||
		!strings.Contains(out, "made for each unit from mqtt_user, mqtt_pass") {
		t.Fatalf("demo: exit code %d\n%s", code, out)
	}
	_, errs, code := runImage(t, "demo", "demo", "--images", images)
	if code != exitRefused || !strings.Contains(errs, "never overwritten") {
		t.Errorf("demo again: exit code %d: %s", code, errs)
	}
	out, _, code = runImage(t, "verify", "demo", "--images", images)
	if code != exitDone || !strings.Contains(out, "good: demo") {
		t.Errorf("verify: exit code %d\n%s", code, out)
	}

	// The demo's own files, named as PlatformIO names them.
	build := t.TempDir()
	for from, to := range map[string]string{
		"bootloader.bin": "bootloader.bin", "partition-table.bin": "partitions.bin", "otadata.bin": "boot_app0.bin", "app0.bin": "firmware.bin",
	} {
		data, err := os.ReadFile(filepath.Join(images, "demo", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(build, to), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code = runImage(t, "import", "gateway-1.4.2", build, "--images", images, "--chip", "esp32s3", "--flash-size", "16MB")
	if code != exitDone || !strings.Contains(out, "imported gateway-1.4.2: gateway-demo 1.0.0 for the esp32s3 with 16 MiB of flash") ||
		!strings.Contains(out, "0x10000") {
		t.Fatalf("import: exit code %d\n%s%s", code, out, errs)
	}

	var list []map[string]any
	out, _, code = runImage(t, "list", "--format", "json", "--images", images)
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitDone || len(list) != 2 {
		t.Fatalf("list: %v, exit code %d\n%s", err, code, out)
	}
	if list[1]["name"] != "gateway-1.4.2" || list[1]["source"] != "platformio" || list[0]["demo"] != true {
		t.Errorf("list: %v", list)
	}
	if out, _, _ := runImage(t, "list", "--images", images); !strings.Contains(out, "gateway-1.4.2  esp32s3  gateway-demo  1.0.0    16 MiB") {
		t.Errorf("list:\n%s", out)
	}
}

func TestImageCommandEncrypted(t *testing.T) {
	images := t.TempDir()
	out, _, code := runImage(t, "demo", "--nvs-encrypted", "secret", "--images", images)
	if code != exitDone || !strings.Contains(out, "0x7ef000  nvs_keys         4096 bytes     new keys for each unit") ||
		!strings.Contains(out, "made for each unit from mqtt_user, mqtt_pass, encrypted") {
		t.Fatalf("demo: exit code %d\n%s", code, out)
	}
	build := t.TempDir()
	for from, to := range map[string]string{
		"bootloader.bin": "bootloader.bin", "partition-table.bin": "partitions.bin", "otadata.bin": "boot_app0.bin", "app0.bin": "firmware.bin",
	} {
		if err := os.Rename(filepath.Join(images, "secret", from), filepath.Join(build, to)); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{"plain": nil, "encrypted": {"--nvs-encrypted"}} {
		out, errs, code := runImage(t, append([]string{"import", name, build, "--images", images}, args...)...)
		if code != exitDone || strings.Contains(out, "nvs_keys") != (name == "encrypted") {
			t.Errorf("import %s: exit code %d\n%s%s", name, code, out, errs)
		}
	}
	var list []struct {
		Name      string
		Encrypted bool `json:"nvsEncrypted"`
	}
	out, _, _ = runImage(t, "list", "--format", "json", "--images", images)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.Encrypted != (r.Name != "plain") {
			t.Errorf("%s is listed as encrypted: %v", r.Name, r.Encrypted)
		}
	}
	// A build that has no place for the keys.
	if out, errs, code := runImage(t, "demo", "--images", images); code != exitDone {
		t.Fatalf("demo: exit code %d\n%s%s", code, out, errs)
	}
	table, err := os.ReadFile(filepath.Join(images, "demo", "partition-table.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(build, "partitions.bin"), table, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := runImage(t, "import", "x", build, "--nvs-encrypted", "--images", images)
	if code != exitFailure || !strings.Contains(errs, "no nvs_keys partition") || !strings.Contains(errs, "eFuse") {
		t.Errorf("import without a place for keys: exit code %d: %s", code, errs)
	}
}

func TestImageCommandRefuses(t *testing.T) {
	images, empty := t.TempDir(), t.TempDir()
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import", "x"}, exitUsage, "NAME BUILD"},
		{[]string{"import", "x", empty}, exitFailure, "there is no build here"},
		{[]string{"import", "a/b", empty}, exitFailure, "cannot be called"},
		{[]string{"import", "x", empty, "--flash-size", "7MB"}, exitUsage, "--flash-size"},
		{[]string{"import", "x", empty, "--chip", "esp8266"}, exitUsage, "esp8266"},
		{[]string{"verify"}, exitUsage, "NAME"},
		{[]string{"verify", "x"}, exitFailure, "See flashd image list."},
		{[]string{"list", "x"}, exitUsage, "no arguments"},
		{[]string{"list", "--format", "xml"}, exitUsage, "want table, json, jsonl or csv"},
		{[]string{"demo", "a", "b"}, exitUsage, "one name"},
		{[]string{"demo", "--chip", "z80"}, exitUsage, "z80"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			_, errs, code := runImage(t, append(tt.args, "--images", images)...)
			if code != tt.code || !strings.Contains(errs, tt.want) {
				t.Errorf("exit code %d: %s", code, errs)
			}
		})
	}
	if _, errs, code := runImage(t, "list", "--images", filepath.Join(images, "none")); code != exitFailure || !strings.Contains(errs, "--images") {
		t.Errorf("list of nowhere: exit code %d: %s", code, errs)
	}
}

// Root, as whom tests may run, is denied nothing.
func TestFilesOfAnotherUser(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "of-another", Err: fs.ErrPermission}
	for hint, err := range map[string]error{"sudo -u flashd": releaseError(denied), "sudo chown flashd": misconfigured(denied)} {
		var says strings.Builder
		if report(&says, err); !strings.Contains(says.String(), hint) {
			t.Errorf("want %q in %s", hint, says.String())
		}
	}
}
