package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// startedStation is a station of simulated units at work, with some done. What it
// returns stops it, and looks for errors in its log.
func startedStation(t *testing.T, units int) (stateDir string, stop func()) {
	t.Helper()
	releases, _ := demoRelease(t)
	dir := filepath.Join(t.TempDir(), "state")
	cmd := flashdProcess(t, t.TempDir(), "serve", "--simulate", "2", "--instant", "--images", releases, "--state-dir", dir, "--listen", "127.0.0.1:0")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough, ended := make(chan struct{}), make(chan struct{})
	var errs []string
	go func() {
		defer close(ended)
		done := 0
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			switch line := lines.Text(); {
			case strings.Contains(line, "level=ERROR"):
				errs = append(errs, line)
			case strings.Contains(line, "outcome=pass"):
				if done++; done == units {
					close(enough)
				}
			}
		}
	}()
	select {
	case <-enough:
	case <-ended:
		t.Fatalf("the station ended by itself: %q", errs)
	}
	return dir, func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-ended
		if err := cmd.Wait(); err != nil || len(errs) > 0 {
			t.Errorf("it ended with %v: %q", err, errs)
		}
	}
}

// The record of a station is looked after while the station works on.
func TestRecordOfARunningStation(t *testing.T) {
	dir, stop := startedStation(t, 3)
	defer stop()
	work := t.TempDir()
	flashd := func(args ...string) string {
		t.Helper()
		out, _ := runFlashd(t, work, exitDone, append(args, "--state-dir", dir)...)
		return out
	}
	if out := flashd("jobs", "check"); !strings.HasPrefix(out, "The record is whole: ") {
		t.Errorf("check: %s", out)
	}
	flashd("jobs", "export", "--outcome", "pass", "--since", "1h", "-o", "passed.jsonl.gz")
	flashd("jobs", "backup", "backup.db")

	archived := flashd("jobs", "archive", "--before", "1ms")
	files, err := filepath.Glob(filepath.Join(dir, "archive", "*.jsonl.zst"))
	if err != nil || len(files) != 1 || !strings.Contains(archived, filepath.Base(files[0])+", in the archive_dir") {
		t.Fatalf("archives %q, %v: %s", files, err, archived)
	}
	flashd("jobs", "check")
	units := flashd("units", "--format", "jsonl")
	if n := strings.Count(units, `"passed":true`); n < 3 {
		t.Errorf("%d units have passed:\n%s", n, units)
	}
	for a, err := range jobs.ArchivedAttempts(files[0]) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Outcome == jobs.Pass && !strings.Contains(units, `"id":"`+a.Unit+`"`) {
			t.Errorf("unit %s is forgotten", a.Unit)
		}
	}

	// The backup is of before.
	restored := filepath.Join(t.TempDir(), "restored")
	if err := os.Mkdir(restored, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(work, "backup.db"), storePath(restored)); err != nil {
		t.Fatal(err)
	}
	store := openStoreOf(t, restored)
	defer store.Close()
	if n := countAttempts(t, store); n < 3 {
		t.Errorf("%d attempts in the backup, want 3 or more", n)
	}
}

// A station that is stopped in the middle of a backup leaves no half of one.
func TestBackupOfAStationThatGoes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old.db"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := web.ListenUnix(dir)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n")
			}
			_ = conn.Close()
		}
	}()
	defer func() { _ = l.Close(); <-served }()
	_, stderr := runFlashd(t, dir, exitFailure, "jobs", "backup", "--force", "old.db", "--state-dir", dir)
	if !strings.Contains(stderr, "read the backup from flashd") {
		t.Errorf("stderr %q", stderr)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	if err != nil || len(files) != 1 {
		t.Errorf("files %q, %v", files, err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "old.db")); err != nil || string(data) != "old" {
		t.Errorf("the old backup has become %q, %v", data, err)
	}
}
