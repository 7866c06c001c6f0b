package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
)

// A line may be told which release its units hold already. A blank one is
// written whole nevertheless, and the record says how much that was.
func TestServeByTheDifference(t *testing.T) {
	releases := t.TempDir()
	for _, name := range []string{"demo", "older"} {
		if _, err := firmware.Demo(releases, name, "esp32s3"); err != nil {
			t.Fatal(err)
		}
	}
	r, err := firmware.Load(releases, "demo")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		config string
		args   []string
	}{
		"flag": {"", []string{"--diff", "older"}},
		"key":  {"previous_release: older\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			config := filepath.Join(t.TempDir(), "flashd.yaml")
			if err := os.WriteFile(config, []byte(tc.config), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{
				"serve", "--config", config, "--simulate", "1", "--instant", "--units", "1", "--images", releases,
				"--release", "demo", "--state-dir", dir, "--listen", "127.0.0.1:0",
			}, tc.args...)
			_, stderr := runFlashd(t, t.TempDir(), exitDone, args...)
			if !strings.Contains(stderr, "writing it whole") {
				t.Errorf("it does not say that the unit did not hold the older release:\n%s", stderr)
			}
			store := openStoreOf(t, dir)
			defer store.Close()
			if passed := checkSimulatedUnits(t, dir, store, r); passed != 1 {
				t.Errorf("%d units passed", passed)
			}
			size := 0
			for _, s := range r.Segments {
				size += len(s.Data)
			}
			for a, err := range store.Attempts(jobs.Filter{Outcome: jobs.Pass}) {
				if err != nil {
					t.Fatal(err)
				}
				if a.Written < int64(size) {
					t.Errorf("%d bytes are recorded as written, the release has %d", a.Written, size)
				}
			}
		})
	}
}
