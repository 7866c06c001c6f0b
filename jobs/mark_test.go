package jobs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// closedStore returns the path of a store of n attempts that was closed in order.
func closedStore(t testing.TB, n int) string {
	t.Helper()
	s, path := openStore(t)
	fill(t, s, n)
	closeStore(t, s)
	return path
}

// leaveOpen leaves a store with the mark that it has when flashd is killed.
func leaveOpen(t testing.TB, path string) {
	t.Helper()
	s := must(jobs.Open(path))(t)
	open := must(os.ReadFile(path + ".mark"))(t)
	closeStore(t, s)
	if err := os.WriteFile(path+".mark", open, 0o600); err != nil {
		t.Fatal(err)
	}
}

func removeMark(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path + ".mark"); err != nil {
		t.Fatal(err)
	}
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

// leavesOf are the pages with an attempt.
func leavesOf(id int) func(data []byte) []int {
	return func(data []byte) (pages []int) {
		for _, page := range inUse(data, leaf) {
			if bytes.Contains(data[page*pageSize:][:pageSize], fmt.Appendf(nil, `{"id":%d,`, id)) {
				pages = append(pages, page)
			}
		}
		return pages
	}
}

// leavesOf300 are far from the first of their tree.
var leavesOf300 = leavesOf(300)

// Damage in a leaf that was written long ago does not keep a store from opening at
// once, whether flashd closed it or was killed. It is found when the leaf is read,
// ends all writing, and is not forgotten.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	for left, leave := range map[string]func(testing.TB, string){
		"closed": func(testing.TB, string) {}, "killed": leaveOpen,
	} {
		for name, use := range map[string]func(s *jobs.Store) error{
			"Attempt": func(s *jobs.Store) error { return errOf(s.Attempt(300)) },
			"Finish":  func(s *jobs.Store) error { return errOf(s.Finish(300, pass())) },
			"Check":   func(s *jobs.Store) error { return s.Check() },
		} {
			t.Run(left+"/"+name, func(t *testing.T) {
				path := closedStore(t, 2000)
				leave(t, path)
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
}

// Whatever a disk lost of what was written last, Open finds it after a power cut,
// if reading the whole store does.
func TestOpenAfterLoss(t *testing.T) {
	t.Parallel()
	path := closedStore(t, 200)
	s := must(jobs.Open(path))(t)
	run(t, s, unitA, jobs.Provision, pass())
	before := must(os.ReadFile(path))(t)
	open := must(os.ReadFile(path + ".mark"))(t)
	run(t, s, unitN(200), jobs.Provision, failed(jobs.Fail))
	allow(t, s, true)
	run(t, s, unitA, jobs.ReworkAll, pass())
	identify(t, s, begin(t, s, "2").ID, unitN(200), jobs.Provision)
	closeStore(t, s)
	after := must(os.ReadFile(path))(t)
	before = append(before, make([]byte, len(after))...)[:len(after)]

	f := must(os.OpenFile(path, os.O_WRONLY, 0))(t)
	defer f.Close()
	// look opens the store with a part of a page as it was before.
	look := func(at, size int, mark []byte, use func(*jobs.Store) error) error {
		must(f.WriteAt(before[at:][:size], int64(at)))(t)
		if err := os.WriteFile(path+".mark", mark, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := jobs.OpenReadOnly(path)
		if err == nil {
			err = errors.Join(use(s), s.Close())
		}
		must(f.WriteAt(after[at:][:size], int64(at)))(t)
		return err
	}
	lost := 0
	for at := 2 * pageSize; at < len(after); at += pageSize {
		if bytes.Equal(before[at:][:pageSize], after[at:][:pageSize]) {
			continue
		}
		for _, half := range []struct{ from, size int }{{0, pageSize}, {0, pageSize / 2}, {pageSize / 2, pageSize / 2}} {
			whole := look(at+half.from, half.size, nil, func(s *jobs.Store) error { return s.Check() })
			quick := look(at+half.from, half.size, open, func(*jobs.Store) error { return nil })
			if whole != nil {
				lost++
			}
			if errors.Is(quick, jobs.ErrDamaged) != (whole != nil) {
				t.Errorf("%d bytes at %d of page %d: %v, want what a whole check says: %v", half.size, half.from, at/pageSize, quick, whole)
			}
		}
	}
	if lost < 10 {
		t.Errorf("only %d losses were put to the test", lost)
	}
}

// Everything else is found before it opens.
func TestOpenFinds(t *testing.T) {
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
		"a leaf, with the mark of an earlier close": func(t *testing.T, path string) {
			closed := must(os.ReadFile(path + ".mark"))(t)
			s := must(jobs.Open(path))(t)
			begin(t, s, "1")
			closeStore(t, s)
			if err := os.WriteFile(path+".mark", closed, 0o600); err != nil { // as if it had stayed
				t.Fatal(err)
			}
			rot(t, path, leavesOf300)
		},
		"the newest attempts after flashd was killed": func(t *testing.T, path string) {
			leaveOpen(t, path)
			rot(t, path, leavesOf(600))
		},
		"a leaf of another store, put in the place of one at which flashd was killed": func(t *testing.T, path string) {
			leaveOpen(t, path)
			other := closedStore(t, 600)
			rot(t, other, leavesOf300)
			if err := os.Rename(other, path); err != nil {
				t.Fatal(err)
			}
		},
		"a leaf of an earlier backup, copied over one at which flashd was killed": func(t *testing.T, path string) {
			backup := must(os.ReadFile(path))(t)
			s := must(jobs.Open(path))(t)
			begin(t, s, "1")
			closeStore(t, s)
			leaveOpen(t, path)
			if err := os.WriteFile(path, backup, 0o600); err != nil {
				t.Fatal(err)
			}
			rot(t, path, leavesOf300)
		},
		"a leaf, with a mark that says nothing": func(t *testing.T, path string) {
			if err := os.WriteFile(path+".mark", []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			rot(t, path, leavesOf300)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := closedStore(t, 600)
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

// A process that writes says so in the mark; one that reads leaves the mark alone.
func TestMarkIsOfWriters(t *testing.T) {
	t.Parallel()
	path := closedStore(t, 1)
	mark := func() string { return string(must(os.ReadFile(path + ".mark"))(t)) }
	closed := mark()
	closeStore(t, must(jobs.OpenReadOnly(path))(t))
	if mark() != closed {
		t.Errorf("a reader has made %s of the mark %s", mark(), closed)
	}
	s := must(jobs.Open(path))(t)
	if !strings.Contains(mark(), `"open":true`) {
		t.Errorf("mark %s while the store is open for writing", mark())
	}
	closeStore(t, s)
	if !strings.Contains(mark(), `"open":false`) {
		t.Errorf("mark %s after Close", mark())
	}
}
