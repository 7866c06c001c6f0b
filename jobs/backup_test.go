package jobs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

// slowWriter lets the line work on while a backup is under way.
type slowWriter struct {
	bytes.Buffer
	during func()
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.during()
	return w.Buffer.Write(p)
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := history(t)
	before := list(t, s, jobs.Filter{})
	n := 0
	w := &slowWriter{during: func() {
		run(t, s, unitN(100+n), jobs.Provision, pass())
		n++
	}}
	size := must(s.Backup(w))(t)
	if n == 0 || size != int64(w.Len()) {
		t.Fatalf("%d attempts meanwhile, %d of %d bytes", n, size, w.Len())
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := os.WriteFile(path, w.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	// Restoring is to put it in the place of the store.
	restored := reopen(t, path)
	if diff := cmp.Diff(before, list(t, restored, jobs.Filter{})); diff != "" {
		t.Errorf("attempts (-when it began +in the backup):\n%s", diff)
	}
	if closed := must(restored.Recover(time.Now()))(t); len(closed) != 1 {
		t.Errorf("recovered %v, want the open one", ids(closed))
	}
	run(t, restored, unitN(200), jobs.Provision, pass())
}

func TestBackupCut(t *testing.T) {
	t.Parallel()
	var whole bytes.Buffer
	must(history(t).Backup(&whole))(t)
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := os.WriteFile(path, whole.Bytes()[:whole.Len()-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.OpenReadOnly(path); !errors.Is(err, jobs.ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
	full := errors.New("no space left on device")
	if _, err := history(t).Backup(&failing{full}); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
}

// failing takes the meta pages and no more.
type failing struct{ err error }

func (w *failing) Write(p []byte) (int, error) {
	if len(p) > pageSize {
		return 0, w.err
	}
	return len(p), nil
}
