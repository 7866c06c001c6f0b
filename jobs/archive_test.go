package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

// archived reads all archives of a directory.
func archived(t testing.TB, dir string) (all []jobs.Attempt) {
	t.Helper()
	for _, e := range must(os.ReadDir(dir))(t) {
		for a, err := range jobs.ArchivedAttempts(filepath.Join(dir, e.Name())) {
			if err != nil {
				t.Fatalf("%s: %v", e.Name(), err)
			}
			all = append(all, a)
		}
	}
	return all
}

func archive(t testing.TB, s *jobs.Store, dir string, before time.Time) []jobs.Archive {
	t.Helper()
	filled := must(s.Archive(t.(*testing.T).Context(), dir, before))(t)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return filled
}

func TestArchive(t *testing.T) {
	t.Parallel()
	s, dir := history(t), t.TempDir()
	at := func(i int) time.Time { return t0.Add(time.Duration(i) * 10 * time.Minute) }
	must(s.AllowRework(jobs.Rework{Unit: unitB, Reason: "test", By: "test", Allowed: t0}))(t)
	want := list(t, s, jobs.Filter{Until: at(3)})
	slices.Reverse(want)

	filled := archive(t, s, dir, at(3))
	if len(filled) != 1 || filled[0].Attempts != 3 || filled[0].Deleted != 3 || filled[0].Done.IsZero() {
		t.Fatalf("filled %+v, want one archive of 3 attempts", filled)
	}
	if name := "attempts-before-20260302T083000Z.jsonl.zst"; filled[0].File != name {
		t.Errorf("file %s, want %s", filled[0].File, name)
	}
	if mode := must(os.Stat(filepath.Join(dir, filled[0].File)))(t).Mode(); mode != 0o600 {
		t.Errorf("mode %v, want 600", mode)
	}
	if diff := cmp.Diff(want, archived(t, dir)); diff != "" {
		t.Errorf("archived (-recorded +archived):\n%s", diff)
	}
	wantIDs(t, "all that stay", list(t, s, jobs.Filter{}), 6, 5, 4)
	wantIDs(t, "of unit A", list(t, s, jobs.Filter{Unit: unitA}))
	wantIDs(t, "passed", list(t, s, jobs.Filter{Outcome: jobs.Pass}))
	wantIDs(t, "slot 2", list(t, s, jobs.Filter{Slot: "2"}), 6, 4)
	if _, err := s.Attempt(1); !errors.Is(err, jobs.ErrNoAttempt) {
		t.Errorf("an archived attempt: %v, want ErrNoAttempt", err)
	}
	u := unitOf(t, s, unitA)
	if diff := cmp.Diff(jobs.Archived{Attempts: 2, Fails: 1}, u.Archived); diff != "" || !u.Passed || u.Attempts != 2 {
		t.Errorf("unit %+v\n%s", u, diff)
	}
	if n := len(reworks(t, s, unitB)); n != 1 {
		t.Errorf("%d reworks, want 1", n)
	}
	// What is in an archive still counts: a unit that passed stays refused.
	identify(t, s, begin(t, s, "1").ID, unitA, jobs.AlreadyPassed)

	if again := archive(t, s, dir, at(3)); len(again) != 0 {
		t.Errorf("again: %+v, want nothing", again)
	}
	// Attempt 6 is open, and so is the one of unit A just now.
	later := archive(t, s, dir, t0.AddDate(1, 0, 0))
	if len(later) != 1 || later[0].Attempts != 2 || later[0].ID != 2 {
		t.Errorf("later: %+v, want archive 2 with 2 attempts", later)
	}
	wantIDs(t, "open attempts", list(t, s, jobs.Filter{}), 6, 7)
}

func TestArchiveTakesNoName(t *testing.T) {
	t.Parallel()
	s, dir := history(t), t.TempDir()
	name := filepath.Join(dir, "attempts-before-20260302T083000Z.jsonl.zst")
	if err := os.WriteFile(name, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	filled := archive(t, s, dir, t0.Add(30*time.Minute))
	if len(filled) != 1 || filled[0].File != "attempts-before-20260302T083000Z-2.jsonl.zst" {
		t.Errorf("filled %+v", filled)
	}
	if data := must(os.ReadFile(name))(t); string(data) != "precious" {
		t.Errorf("another's file has become %q", data)
	}
}

func TestArchiveNowhere(t *testing.T) {
	t.Parallel()
	s := history(t)
	_, err := s.Archive(t.Context(), filepath.Join(t.TempDir(), "none"), t0.AddDate(1, 0, 0))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want ErrNotExist", err)
	}
	if n := len(list(t, s, jobs.Filter{})); n != 6 {
		t.Errorf("%d attempts are left, want 6", n)
	}
}

// What somebody does to a file between its writing and the deletion.
func TestArchiveTampered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tamper func(path string) error
		lost   bool // whether that is an error
	}{
		"removed": {os.Remove, true},
		"emptied": {func(path string) error { return os.Truncate(path, 0) }, true},
		"cut":     {func(path string) error { return os.Truncate(path, 200) }, true},
		"longer":  {func(path string) error { return appendTo(path, "x") }, true},
		"flipped": {func(path string) error { return flip(path, 100) }, true},
		"touched": {func(path string) error { return os.Chtimes(path, t0, t0) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := history(t), t.TempDir()
			file := filepath.Join(dir, "attempts-before-20260302T083000Z.jsonl.zst")
			asked := 0
			ctx := &watched{Context: t.Context(), when: func() {
				if _, err := os.Stat(file); err == nil && asked == 0 {
					asked++
					if err := tt.tamper(file); err != nil {
						t.Error(err)
					}
				}
			}}
			_, err := s.Archive(ctx, dir, t0.Add(30*time.Minute))
			if asked == 0 {
				t.Fatal("nothing was put to the test")
			}
			if errors.Is(err, jobs.ErrArchive) != tt.lost {
				t.Errorf("%v, is ErrArchive: want %t", err, tt.lost)
			}
			if n := len(list(t, s, jobs.Filter{})); tt.lost && n != 6 {
				t.Errorf("%d attempts are left, want all 6", n)
			}
			// Nothing was deleted, so it can be written anew.
			archive(t, s, dir, t0.Add(30*time.Minute))
			if n := len(archived(t, dir)); n != 3 {
				t.Errorf("%d attempts are archived, want 3", n)
			}
		})
	}
}

// watched is a context that calls when before it says whether it has ended.
type watched struct {
	context.Context
	when func()
}

func (c *watched) Err() error {
	c.when()
	return c.Context.Err()
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func flip(path string, at int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[at] ^= 1
	return os.WriteFile(path, data, 0o600)
}

// archiveEnv names the store that a child of TestArchiveKilled works on, and
// archiveStepEnv the step at which it kills itself.
const (
	archiveEnv     = "FLASHD_TEST_ARCHIVE_STORE"
	archiveStepEnv = "FLASHD_TEST_ARCHIVE_STEP"
)

func archiveUntilKilled(path string) error {
	s, err := jobs.Open(path)
	if err != nil {
		return err
	}
	step, err := strconv.Atoi(os.Getenv(archiveStepEnv))
	if err != nil {
		return err
	}
	asked := 0
	ctx := &watched{context.Background(), func() {
		if asked++; asked == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}
	_, err = s.Archive(ctx, filepath.Dir(path), t0.AddDate(1, 0, 0))
	return errors.Join(err, fmt.Errorf("it has %d steps", asked))
}

// A process is killed at each step of archiving in turn. Every attempt is in the
// store or in an archive whenever that happens, and once it is over in one of them.
func TestArchiveKilled(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	fill(t, s, 450)
	begin(t, s, "1")
	closeStore(t, s)
	whole := must(os.ReadFile(path))(t)
	for step := 1; ; step++ {
		path := filepath.Join(t.TempDir(), "jobs.db")
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), archiveEnv+"="+path, archiveStepEnv+"="+strconv.Itoa(step))
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if cmd.ProcessState.Exited() {
			if want := fmt.Sprintf("it has %d steps", step-1); step < 8 || !strings.Contains(string(out), want) {
				t.Errorf("step %d: %s", step, out)
			}
			return
		}
		s := reopen(t, path)
		if err := s.Check(); err != nil {
			t.Fatalf("killed at step %d: %v", step, err)
		}
		everywhere(t, s, filepath.Dir(path), false)
		if _, err := s.Archive(t.Context(), filepath.Dir(path), t0.AddDate(1, 0, 0)); err != nil {
			t.Fatalf("killed at step %d, then: %v", step, err)
		}
		everywhere(t, s, filepath.Dir(path), true)
	}
}

// everywhere checks that attempts 1 to 451 are in the store or an archive, and
// once only if that is asked for.
func everywhere(t *testing.T, s *jobs.Store, dir string, once bool) {
	t.Helper()
	times := map[uint64]int{}
	for _, a := range list(t, s, jobs.Filter{}) {
		times[a.ID]++
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.zst"))
	for _, file := range files {
		for a, err := range jobs.ArchivedAttempts(file) {
			if err != nil {
				t.Fatal(err)
			}
			times[a.ID]++
		}
	}
	for id := uint64(1); id <= 451; id++ {
		if n := times[id]; n == 0 || once && n != 1 {
			t.Errorf("attempt %d is there %d times", id, n)
		}
	}
	if len(times) != 451 {
		t.Errorf("%d attempts, want 451", len(times))
	}
}

func FuzzReadArchive(f *testing.F) {
	s, dir := history(f), f.TempDir()
	must(s.Archive(f.Context(), dir, t0.AddDate(1, 0, 0)))(f)
	for _, e := range must(os.ReadDir(dir))(f) {
		f.Add(must(os.ReadFile(filepath.Join(dir, e.Name())))(f))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		ended := false
		for a, err := range jobs.ReadArchive(strings.NewReader(string(data))) {
			if ended {
				t.Fatal("it goes on after an error")
			}
			if ended = err != nil; err == nil && (a.ID == 0 || a.Open()) {
				t.Errorf("not a finished attempt: %+v", a)
			}
		}
	})
}
