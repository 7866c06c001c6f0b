package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

// encryptedReleases is a folder with a demo release with encrypted NVS.
var encryptedReleases = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "flashd-encrypted")
	if err != nil {
		return "", err
	}
	_, err = firmware.DemoEncrypted(dir, "demo", "esp32s3")
	return dir, err
})

func encryptedRelease(t *testing.T) (dir string, r *firmware.Release) {
	t.Helper()
	dir, err := encryptedReleases()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = firmware.Load(dir, "demo"); err != nil {
		t.Fatal(err)
	}
	return dir, r
}

func TestFlashWithEscrow(t *testing.T) {
	releases, r := encryptedRelease(t)
	dir := t.TempDir()
	escrow := filepath.Join(dir, "keys")
	config := filepath.Join(dir, "flashd.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "log: {level: debug}\nnvs: {key_escrow_dir: keys}\nimages_dir: %s\n", releases), 0o600); err != nil {
		t.Fatal(err)
	}
	port, chip := socketChip(t, [6]byte{0xA0, 0xB1, 0xC2, 0xD3, 0xE4, 0xF7})
	const unit = "A0B1C2D3E4F7"
	args := []string{"flash", "--config", config, "--port", port, "--credentials", "derive:" + secretFile(t, ownSalt)}

	_, stderr := runFlashd(t, dir, exitFailure, args...)
	if !strings.Contains(stderr, "install -d -m 700 "+escrow) {
		t.Errorf("a missing folder is told as %q", stderr)
	}
	if err := os.Mkdir(escrow, 0o700); err != nil {
		t.Fatal(err)
	}
	said := stderr
	var keys [][]byte
	for i := range 2 {
		if i == 1 {
			runFlashd(t, dir, exitDone, "rework", unit, "--reason", "keys were seen", "--by", "Eve", "--reflash", "--state-dir", filepath.Join(dir, "state"))
		}
		stdout, stderr := runFlashd(t, dir, exitDone, args...)
		said += stdout + stderr
		flash := chip.Flash().Bytes()
		checkFlash(t, flash, r, unit, passWord(t, ownSalt, unit))
		keys = append(keys, flash[r.NVSKeys.Offset:][:nvsgen.KeysSize])
		kept, err := os.ReadFile(filepath.Join(escrow, unit+".bin"))
		if err != nil || !bytes.Equal(kept, keys[i]) {
			t.Errorf("the escrow does not hold the unit's keys: %v", err)
		}
	}
	image := filepath.Join(dir, "flash.bin")
	if err := os.WriteFile(image, chip.Flash().Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := runFlashd(t, dir, exitDone, "nvs", "inspect", image); !strings.Contains(stdout, unit) || strings.Contains(stdout, "problem") {
		t.Errorf("of the whole flash it shows %q", stdout)
	}
	if bytes.Equal(keys[0], keys[1]) {
		t.Error("a unit that was written whole again has its old keys")
	}
	said += readAll(t, filepath.Join(dir, "state"))
	for _, k := range keys {
		for _, half := range [][]byte{k[:32], k[32:64]} {
			if strings.Contains(said, string(half)) || strings.Contains(strings.ToLower(said), hex.EncodeToString(half)) {
				t.Error("a key is in the output or in the state directory")
			}
		}
	}
}

// Killed while it gives a unit its keys and NVS, the daemon finishes the unit
// with new ones.
func TestKilledWhileEncrypting(t *testing.T) {
	releases, r := encryptedRelease(t)
	for _, before := range []string{"credentials", "personalize"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			config := filepath.Join(dir, "flashd.yaml")
			if err := os.WriteFile(config, []byte("log: {level: debug}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{
				"serve", "--config", config, "--simulate", "2", "--instant", "--images", releases,
				"--state-dir", dir, "--listen", "127.0.0.1:0",
			}
			killAfter(t, dir, "name="+before+" ", args)
			store := openStoreOf(t, dir)
			checkSimulatedUnits(t, dir, store, r)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			runFlashd(t, dir, exitDone, append(args, "--units", "2")...)
			store = openStoreOf(t, dir)
			defer store.Close()
			if passed := checkSimulatedUnits(t, dir, store, r); passed < 2 {
				t.Errorf("%d units passed, want 2", passed)
			}
		})
	}
}
