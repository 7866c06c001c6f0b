package jobs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"hoptech.co.nz/flashd/jobs"
)

func TestOpenInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, path := openStore(t)
		for name, open := range map[string]func(string) (*jobs.Store, error){"Open": jobs.Open, "OpenReadOnly": jobs.OpenReadOnly} {
			start := time.Now()
			_, err := open(path)
			if !errors.Is(err, jobs.ErrInUse) {
				t.Errorf("%s: %v, want ErrInUse", name, err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s gave up after %s, want at most 1s", name, took)
			}
		}
	})
}

func TestOpenWaitsForReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, path := openStore(t)
		closeStore(t, s)
		reader := must(jobs.OpenReadOnly(path))(t)
		time.AfterFunc(300*time.Millisecond, func() { closeStore(t, reader) })
		closeStore(t, must(jobs.Open(path))(t))
	})
}

func TestReadersShare(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	closeStore(t, s)
	one, two := must(jobs.OpenReadOnly(path))(t), must(jobs.OpenReadOnly(path))(t)
	defer closeStore(t, two)
	defer closeStore(t, one)
	for _, s := range []*jobs.Store{one, two} {
		if u := unitOf(t, s, unitA); !u.Passed {
			t.Errorf("unit %+v, want it passed", u)
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if _, err := s.Begin(jobs.Attempt{Slot: "1"}); err == nil {
			t.Error("an attempt was begun in a store opened for reading")
		}
	}
}

func TestOpenCreates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "jobs.db")
	s := reopen(t, path)
	begin(t, s, "1")
	info := must(os.Stat(path))(t)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
	if files := must(os.ReadDir(dir))(t); len(files) != 2 {
		t.Errorf("%d files, want the store and its mark alone: %v", len(files), files)
	}
	if _, err := jobs.Open(filepath.Join(dir, "none", "jobs.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

func TestOpenCreatesOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := jobs.Open(path)
			if errors.Is(err, jobs.ErrInUse) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Begin(jobs.Attempt{Slot: "1", Start: t0}); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := reopen(t, path)
	all := list(t, s, jobs.Filter{})
	if len(all) == 0 || all[0].ID != uint64(len(all)) {
		t.Errorf("%d attempts, the newest is %v: an attempt went into a store that was then replaced", len(all), ids(all))
	}
}

func TestOpenReadOnlyNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := jobs.OpenReadOnly(path); !errors.Is(err, jobs.ErrNone) {
		t.Errorf("%v, want ErrNone", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("reading created a store")
	}
}

// A file without a byte is neither read as a new store nor turned into one.
func TestOpenEmpty(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string) (*jobs.Store, error){"Open": jobs.Open, "OpenReadOnly": jobs.OpenReadOnly} {
		if _, err := open(path); !errors.Is(err, jobs.ErrEmpty) || errors.Is(err, jobs.ErrDamaged) {
			t.Errorf("%s: %v, want ErrEmpty", name, err)
		}
		if info := must(os.Stat(path))(t); info.Size() != 0 {
			t.Errorf("%s left %d bytes in the file", name, info.Size())
		}
	}
}

// What a first start that was killed left behind goes with the next start.
func TestOpenTidiesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "jobs.db")
	keep := []string{"jobs.db.new-", "jobs.db.new-1a", "jobs.db.new-12.bak", "other.db.new-12", "xjobs.db.new-12"}
	for _, name := range append([]string{"jobs.db.new-12", "jobs.db.new-3141592653"}, keep...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "jobs.db.new-13"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := append([]string{"jobs.db", "jobs.db.mark", "jobs.db.new-13"}, keep...)
	slices.Sort(want)
	reopen(t, path)
	var got []string
	for _, e := range must(os.ReadDir(dir))(t) {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOpenDamaged(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	fill(t, s, 300)
	closeStore(t, s)
	whole := must(os.ReadFile(path))(t)
	for name, data := range map[string][]byte{
		"text":       []byte(strings.Repeat("not a store\n", 3000)),
		"short text": []byte("not a store\n"),
		"cut":        whole[:len(whole)/4],
		"metas only": whole[:8192],
	} {
		path := filepath.Join(t.TempDir(), "jobs.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(string) (*jobs.Store, error){jobs.Open, jobs.OpenReadOnly} {
			s, err := open(path)
			if !errors.Is(err, jobs.ErrDamaged) {
				t.Errorf("%s: %v, want ErrDamaged", name, err)
			}
			if s != nil {
				closeStore(t, s)
			}
		}
	}
}

func TestOpenOtherFile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(tx *bbolt.Tx) error
		want   error
	}{
		"newer schema":    {func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("3")) }, jobs.ErrNewer},
		"no schema":       {func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Delete([]byte("schema")) }, jobs.ErrDamaged},
		"not our buckets": {func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("meta")) }, jobs.ErrDamaged},
		"a bucket lost":   {func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("units")) }, jobs.ErrDamaged},
	} {
		s, path := openStore(t)
		closeStore(t, s)
		edit(t, path, tt.change)
		if _, err := jobs.Open(path); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if _, err := jobs.OpenReadOnly(path); !errors.Is(err, tt.want) {
			t.Errorf("%s, for reading: %v, want %v", name, err, tt.want)
		}
	}
}

// edit changes a store behind the package's back.
func edit(t testing.TB, path string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db := must(bbolt.Open(path, 0o600, nil))(t)
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}
