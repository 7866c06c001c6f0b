package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/span"
	"hoptech.co.nz/flashd/jobs"
)

// newUpkeep is of a store with one attempt of each of the last n days.
func newUpkeep(t *testing.T, n int) (upkeep, *bytes.Buffer) {
	t.Helper()
	store, err := jobs.Open(storePath(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for day := range n {
		a, err := store.Begin(jobs.Attempt{Slot: "1", Start: time.Now().AddDate(0, 0, -day)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Finish(a.ID, jobs.Result{Outcome: jobs.Aborted}); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	cfg := &config.Config{StateDir: t.TempDir()}
	return upkeep{
		store: store, keep: span.Span{Days: 10}, working: func() int { return 0 }, log: slog.New(slog.NewTextHandler(&log, nil)),
		archive: func(ctx context.Context, before time.Time) ([]jobs.Archive, error) {
			return archiveInto(ctx, store, cfg, before)
		},
	}, &log
}

func countAttempts(t *testing.T, s *jobs.Store) (n int) {
	t.Helper()
	for _, err := range s.Attempts(jobs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// Each day what has become too old goes; all is quiet here, so that it is soon done.
func TestUpkeepArchivesEveryDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, log := newUpkeep(t, 30)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); u.run(ctx) }()
		time.Sleep(upkeepAfter - time.Minute)
		if n := countAttempts(t, u.store); n != 30 {
			t.Errorf("%d attempts before the line was quiet for long enough, want 30", n)
		}
		time.Sleep(2 * time.Minute)
		if n := countAttempts(t, u.store); n != 11 { // today and ten days before
			t.Errorf("%d attempts after the first time, want 11", n)
		}
		time.Sleep(upkeepEvery + upkeepAfter)
		if n := countAttempts(t, u.store); n != 10 {
			t.Errorf("%d attempts a day later, want 10", n)
		}
		stop()
		<-done
		if n := strings.Count(log.String(), "old attempts were archived"); n != 2 || strings.Contains(log.String(), "ERROR") {
			t.Errorf("log:\n%s", log)
		}
		if err := u.store.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestUpkeepWaitsForQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := newUpkeep(t, 20)
		var units atomic.Int32
		units.Store(1)
		u.working = func() int { return int(units.Load()) }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); u.run(ctx) }()
		time.Sleep(upkeepPatience - time.Minute)
		if n := countAttempts(t, u.store); n != 20 {
			t.Errorf("%d attempts while the line works, want 20", n)
		}
		units.Store(0)
		time.Sleep(upkeepAfter)
		if n := countAttempts(t, u.store); n != 11 {
			t.Errorf("%d attempts once it rests, want 11", n)
		}
		units.Store(1)
		time.Sleep(upkeepEvery + upkeepPatience)
		if n := countAttempts(t, u.store); n != 10 {
			t.Errorf("%d attempts of a line that never rests, want 10", n)
		}
		stop()
		<-done
	})
}

func TestUpkeepMovesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(u *upkeep)
		says   string
	}{
		"for ever": {func(u *upkeep) { u.keep = span.Span{} }, ""},
		"disk full": {func(u *upkeep) {
			u.archive = func(context.Context, time.Time) ([]jobs.Archive, error) { return nil, errors.New("no space left") }
		}, "no space left"},
		"record closed": {func(u *upkeep) { _ = u.store.Close() }, "not as it should be"},
	} {
		t.Run(name, func(t *testing.T) {
			u, log := newUpkeep(t, 20)
			tt.change(&u)
			u.once(t.Context())
			if !strings.Contains(log.String(), tt.says) || tt.says == "" && log.Len() > 0 {
				t.Errorf("log %q, want %q in it", log, tt.says)
			}
			if name != "record closed" {
				if n := countAttempts(t, u.store); n != 20 {
					t.Errorf("%d attempts, want 20", n)
				}
			}
		})
	}
}

// A folder that is named is not made: the disk that it is on may not be mounted.
func TestArchiveIntoFolder(t *testing.T) {
	u, _ := newUpkeep(t, 3)
	missing := filepath.Join(t.TempDir(), "none")
	cfg := &config.Config{StateDir: t.TempDir(), Retention: config.Retention{ArchiveDir: missing}}
	if _, err := archiveInto(t.Context(), u.store, cfg, time.Now().AddDate(0, 0, -1)); err == nil {
		t.Error("no error for an archive_dir that is not there")
	}
	if n := countAttempts(t, u.store); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}

// A clock that is years ahead, or a line that has long been still, has the whole
// record look old.
func TestUpkeepLeavesARecordThatIsAllOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, log := newUpkeep(t, 5)
		time.Sleep(365 * 24 * time.Hour)
		u.once(t.Context())
		if n := countAttempts(t, u.store); n != 5 || !strings.Contains(log.String(), "the clock may be wrong") {
			t.Errorf("%d attempts are left, want 5; log: %s", n, log)
		}
	})
}

func TestClockBehindTheRecordIsTold(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": 0, "behind": time.Hour} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := openStoreOf(t, dir)
			if _, err := store.Begin(jobs.Attempt{Slot: "1", Start: time.Now().Add(ahead)}); err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			store, err := openStore(dir, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if told := strings.Contains(log.String(), "the clock is behind the record"); told != (ahead > 0) {
				t.Errorf("log: %s", &log)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
