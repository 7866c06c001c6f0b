package main

import (
	"bytes"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/jobs"
)

// A unit in secure download mode is written only on request, with a reason, and
// is no unit that passed even then.
func TestFlashUnverified(t *testing.T) {
	releases, r := demoRelease(t)
	dir := t.TempDir()
	chip := espsim.New(espsim.Config{
		Model: espsim.ESP32S3, MAC: [6]byte{0xA0, 0xB1, 0xC2, 0xD3, 0xE4, 0xF7}, Flash: espsim.NewFlash(8 << 20),
		Security: espsim.Security{SecureDownload: true},
	})
	port := onSocket(t, chip)
	args := []string{
		"flash", "--port", port, "--images", releases, "--state-dir", dir,
		"--credentials", "derive:" + secretFile(t, ownSalt),
	}
	_, stderr := runFlashd(t, dir, exitFailure, args...)
	if !strings.Contains(stderr, "secure download mode") || !strings.Contains(stderr, "--unverified") {
		t.Errorf("it is refused with %q", stderr)
	}
	if flash := chip.Flash().Bytes(); !bytes.Equal(flash, bytes.Repeat([]byte{0xFF}, len(flash))) {
		t.Fatal("the flash was touched")
	}

	stdout, stderr := runFlashd(t, dir, exitFailure, append(args, "--unverified", "a prototype")...)
	if strings.Contains(stdout, "PASS") || !strings.Contains(stderr, "nothing of it is verified") || !strings.Contains(stderr, "a prototype") {
		t.Errorf("it says %q and %q", stdout, stderr)
	}
	flash := chip.Flash().Bytes()
	for _, s := range r.Segments {
		if !bytes.Equal(flash[s.Offset:int(s.Offset)+len(s.Data)], s.Data) {
			t.Errorf("segment %s is not in the flash", s.Name)
		}
	}
	store := openStoreOf(t, dir)
	defer store.Close()
	for a, err := range store.Attempts(jobs.Filter{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Outcome != jobs.Error || a.Unit != "" || a.Written == 0 || len(a.Verified) > 0 || !strings.Contains(a.Failure.Text, "a prototype") {
			t.Errorf("recorded as %+v, %+v", a, a.Failure)
		}
	}
}
