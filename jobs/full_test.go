package jobs_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

// fillDisk lets no file of this process grow beyond limit bytes, as if the disk
// were full, until the function that it returns is called.
func fillDisk(t *testing.T, limit uint64) (makeRoom func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // write then returns EFBIG
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	makeRoom = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(makeRoom)
	return makeRoom
}

// fullEnv makes the test binary be the process whose disk is full: the limit is
// that of a whole process, and the testing package writes files, too.
const fullEnv = "JOBS_TEST_FULL_DISK"

// A write that fails at whatever place of the file changes nothing, and the store
// goes on once there is room: in this process, and for the next that opens it.
func TestFullDisk(t *testing.T) {
	if os.Getenv(fullEnv) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), fullEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := must(jobs.Open(path))(t)
	begun, failed := 0, 0
	begin := func() error {
		a, err := s.Begin(jobs.Attempt{Slot: "1"})
		if err == nil {
			begun++
			_, err = s.Identify(a.ID, fmt.Sprintf("%012X", begun), "esp32s3")
		}
		return err
	}
	for range 100 { // until the file has grown
		if err := begin(); err != nil {
			t.Fatal(err)
		}
	}
	for limit := 0; limit <= int(must(os.Stat(path))(t).Size()); limit += 5000 { // now and then within a page
		makeRoom := fillDisk(t, uint64(limit))
		for range 3 {
			if err := begin(); err != nil {
				failed++
				if !errors.Is(err, jobs.ErrUnwritten) {
					t.Fatalf("with %d bytes: %v", limit, err)
				}
			}
		}
		makeRoom()
		if err := s.Check(); err != nil {
			t.Fatalf("after %d bytes: %v", limit, err)
		}
		if err := begin(); err != nil {
			t.Fatalf("with room after %d bytes: %v", limit, err)
		}
	}
	if failed == 0 {
		t.Error("no write has failed")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = must(jobs.Open(path))(t)
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	n := 0
	for _, err := range s.Attempts(jobs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != begun {
		t.Errorf("%d attempts, want %d", n, begun)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
