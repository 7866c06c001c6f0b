package config_test

import (
	"path/filepath"
	"testing"
	"time"

	"hoptech.co.nz/flashd/internal/config"
)

func TestRetention(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2y":   time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC),
		"18mo": time.Date(2024, 10, 1, 12, 0, 0, 0, time.UTC), // there is no 31 September
		"2w":   time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC),
		"90d":  time.Date(2025, 12, 31, 12, 0, 0, 0, time.UTC),
	} {
		c := load(t, "state_dir: /s\nretention: {keep: "+text+"}\n")
		if got := c.Retention.Keep.Before(now); !got.Equal(want) {
			t.Errorf("%s before %v: %v, want %v", text, now, got, want)
		}
		if dir, ours := c.ArchiveFolder(); dir != filepath.FromSlash("/s/archive") || !ours {
			t.Errorf("archive folder %s, ours %t", dir, ours)
		}
	}
	c := load(t, "retention: {archive_dir: /mnt/archive}\n")
	if dir, ours := c.ArchiveFolder(); dir != "/mnt/archive" || ours || c.Retention.Keep != (config.Span{}) {
		t.Errorf("archive folder %s, ours %t, keep %v", dir, ours, c.Retention.Keep)
	}
}
