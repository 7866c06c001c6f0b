package jobs_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// closedStore returns the path of a store of 600 attempts that was closed in order.
func closedStore(t testing.TB) string {
	t.Helper()
	s, path := openStore(t)
	fill(t, s, 600)
	closeStore(t, s)
	return path
}

// rot damages pages of a store as a bad disk does: nothing says that it was written.
func rot(t testing.TB, path string, pages func(data []byte) []int) {
	t.Helper()
	info := must(os.Stat(path))(t)
	bad := pages(must(os.ReadFile(path))(t))
	if len(bad) == 0 {
		t.Fatal("there is no page to damage")
	}
	f := must(os.OpenFile(path, os.O_WRONLY, 0))(t)
	for _, page := range bad {
		must(f.WriteAt([]byte("damaged!"), int64(page)*pageSize))(t)
	}
	if err := errors.Join(f.Close(), os.Chtimes(path, time.Time{}, info.ModTime())); err != nil {
		t.Fatal(err)
	}
}

// leavesOf300 are the pages with attempt 300, far from the first of their tree.
func leavesOf300(data []byte) (pages []int) {
	for _, page := range inUse(data, leaf) {
		if bytes.Contains(data[page*pageSize:][:pageSize], []byte(`{"id":300,`)) {
			pages = append(pages, page)
		}
	}
	return pages
}

// Damage in a leaf of a store that was closed in order does not keep it from
// opening at once. It is found when the leaf is read, and ends all writing.
func TestOpenAfterClose(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(s *jobs.Store) error{
		"Attempt": func(s *jobs.Store) error { return errOf(s.Attempt(300)) },
		"Finish":  func(s *jobs.Store) error { return errOf(s.Finish(300, pass())) },
		"Check":   func(s *jobs.Store) error { return s.Check() },
	} {
		t.Run(name, func(t *testing.T) {
			path := closedStore(t)
			rot(t, path, leavesOf300)
			s := must(jobs.Open(path))(t)
			for _, again := range []func(*jobs.Store) error{use, func(s *jobs.Store) error { return errOf(s.Begin(jobs.Attempt{Slot: "1"})) }} {
				if err := again(s); !errors.Is(err, jobs.ErrDamaged) {
					t.Errorf("%v, want ErrDamaged", err)
				}
			}
			closeStore(t, s)
			if _, err := jobs.Open(path); !errors.Is(err, jobs.ErrDamaged) {
				t.Errorf("opened again: %v, want ErrDamaged", err)
			}
		})
	}
}

// Everything else is found before it opens.
func TestOpenAfterCloseFinds(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, path string){
		"a branch": func(t *testing.T, path string) { rot(t, path, func(data []byte) []int { return inUse(data, branch) }) },
		"the free list": func(t *testing.T, path string) {
			rot(t, path, func(data []byte) []int { return inUse(data, freelist) })
		},
		"every page": func(t *testing.T, path string) {
			rot(t, path, func(data []byte) []int { return inUse(data, leaf, branch) })
		},
		"a leaf, written by somebody": func(t *testing.T, path string) {
			rot(t, path, leavesOf300)
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		},
		"a leaf of a copy": func(t *testing.T, path string) {
			info := must(os.Stat(path))(t)
			data := must(os.ReadFile(path))(t)
			if err := errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, data, 0o600), os.Chtimes(path, time.Time{}, info.ModTime())); err != nil {
				t.Fatal(err)
			}
			rot(t, path, leavesOf300)
		},
		"a leaf after flashd was killed": func(t *testing.T, path string) {
			closed := must(os.ReadFile(path + ".closed"))(t)
			s := must(jobs.Open(path))(t)
			begin(t, s, "1")
			closeStore(t, s)
			if err := os.WriteFile(path+".closed", closed, 0o600); err != nil { // as if it had stayed
				t.Fatal(err)
			}
			rot(t, path, leavesOf300)
		},
		"a leaf, with a mark that says nothing": func(t *testing.T, path string) {
			if err := os.WriteFile(path+".closed", []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			rot(t, path, leavesOf300)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := closedStore(t)
			damage(t, path)
			damaged := must(os.ReadFile(path))(t)
			for what, open := range map[string]func(string) (*jobs.Store, error){"OpenReadOnly": jobs.OpenReadOnly, "Open": jobs.Open} {
				s, err := open(path)
				if err == nil {
					closeStore(t, s)
				}
				if !errors.Is(err, jobs.ErrDamaged) {
					t.Errorf("%s: %v, want ErrDamaged", what, err)
				}
			}
			if !bytes.Equal(must(os.ReadFile(path))(t), damaged) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

// A process that is going to write takes the mark away; one that reads leaves it.
func TestMarkIsOfWriters(t *testing.T) {
	t.Parallel()
	path := closedStore(t)
	there := func() bool { _, err := os.Stat(path + ".closed"); return err == nil }
	closeStore(t, must(jobs.OpenReadOnly(path))(t))
	if !there() {
		t.Error("a reader took the mark away")
	}
	s := must(jobs.Open(path))(t)
	if there() {
		t.Error("the mark is there while the store is open for writing")
	}
	closeStore(t, s)
	if !there() {
		t.Error("there is no mark after Close")
	}
}
