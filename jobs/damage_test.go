package jobs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

const pageSize = 4096

// wholeStore returns the bytes of a store with branches and with pages on its
// free list.
func wholeStore(t testing.TB, n int) []byte {
	t.Helper()
	s, path := openStore(t)
	fill(t, s, n)
	run(t, s, unitA, jobs.Provision, pass())
	allow(t, s, true)
	closeStore(t, s)
	return must(os.ReadFile(path))(t)
}

// inUse lists the pages of data that have one of the kinds.
func inUse(data []byte, kinds ...uint16) (pages []int) {
	for i := 2; i < len(data)/pageSize; i++ {
		for _, kind := range kinds {
			page := data[i*pageSize:]
			if binary.NativeEndian.Uint64(page) == uint64(i) && binary.NativeEndian.Uint16(page[8:]) == kind {
				pages = append(pages, i)
			}
		}
	}
	return pages
}

const branch, leaf, freelist = 1, 2, 0x10

func TestOpenDamagedPages(t *testing.T) {
	t.Parallel()
	whole := wholeStore(t, 600)
	noise := rand.NewChaCha8([32]byte{1})
	put32 := func(data []byte, page, offset int, v uint32) {
		binary.NativeEndian.PutUint32(data[page*pageSize+offset:], v)
	}
	// each damages all pages of the kinds, since some are no longer in use.
	each := func(damage func(data []byte, page int), kinds ...uint16) func([]byte) {
		return func(data []byte) {
			for _, page := range inUse(whole, kinds...) {
				damage(data, page)
			}
		}
	}
	for name, damage := range map[string]func(data []byte){
		"noise in pages 2 to 5":   func(data []byte) { _, _ = noise.Read(data[2*pageSize : 6*pageSize]) },
		"noise in pages 20 to 40": func(data []byte) { _, _ = noise.Read(data[20*pageSize : 41*pageSize]) },
		"zeros in pages 20 to 40": func(data []byte) { clear(data[20*pageSize : 41*pageSize]) },
		"4 bytes of noise at 16": func(data []byte) {
			for page := 4; page <= 80; page++ {
				_, _ = noise.Read(data[page*pageSize+16:][:4])
			}
		},
		"pages swapped":          func(data []byte) { swap(data, inUse(whole, leaf)) },
		"other page number":      each(func(data []byte, page int) { put32(data, page, 0, uint32(page+1)) }, leaf),
		"other kind":             each(func(data []byte, page int) { put32(data, page, 8, freelist) }, leaf),
		"count of branch":        each(func(data []byte, page int) { put32(data, page, 8, branch|0xFFFF<<16) }, branch),
		"empty branch":           each(func(data []byte, page int) { put32(data, page, 8, branch) }, branch),
		"overflow":               each(func(data []byte, page int) { put32(data, page, 12, 1<<31) }, leaf),
		"overflow into the next": each(func(data []byte, page int) { put32(data, page, 12, 1) }, leaf),
		"child outside":          each(func(data []byte, page int) { put32(data, page, 24, 1<<30) }, branch),
		"child is a meta page":   each(func(data []byte, page int) { put32(data, page, 24, 1) }, branch),
		"branch in a circle":     each(func(data []byte, page int) { put32(data, page, 24, uint32(page)) }, branch),
		"child twice":            each(func(data []byte, page int) { copy(data[page*pageSize+24:][:8], data[page*pageSize+40:]) }, branch),
		"flags of an entry":      each(func(data []byte, page int) { put32(data, page, 16, 1<<8) }, leaf),
		"position of an entry":   each(func(data []byte, page int) { put32(data, page, 20, 1<<31) }, leaf),
		"size of a key":          each(func(data []byte, page int) { put32(data, page, 24, 1<<31) }, leaf),
		"size of a value":        each(func(data []byte, page int) { put32(data, page, 28, 0) }, leaf),
		"free list of wrong size": each(func(data []byte, page int) {
			put32(data, page, 8, freelist|0xFFFE<<16)
		}, freelist),
		"free list of pages in use": each(func(data []byte, page int) {
			for i, used := range inUse(whole, leaf)[:10] {
				binary.NativeEndian.PutUint64(data[page*pageSize+16+8*i:], uint64(used))
			}
		}, freelist),
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Clone(whole)
			damage(data)
			path := filepath.Join(t.TempDir(), "jobs.db")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for what, open := range map[string]func(string) (*jobs.Store, error){"Open": jobs.Open, "OpenReadOnly": jobs.OpenReadOnly} {
				s, err := open(path)
				if err == nil {
					closeStore(t, s)
				}
				if !errors.Is(err, jobs.ErrDamaged) || strings.Contains(err.Error(), "goroutine") {
					t.Errorf("%s: %v, want ErrDamaged", what, err)
				}
			}
			if string(must(os.ReadFile(path))(t)) != string(data) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

// swap exchanges the contents of neighbouring pages but not their headers.
func swap(data []byte, pages []int) {
	for i := 0; i+1 < len(pages); i += 2 {
		a, b := data[pages[i]*pageSize+16:][:pageSize-16], data[pages[i+1]*pageSize+16:][:pageSize-16]
		kept := bytes.Clone(a)
		copy(a, b)
		copy(b, kept)
	}
}

// A disk that goes bad under an open store makes it refuse, whatever is asked of
// it, and what is asked after that.
func TestDamagedWhileOpen(t *testing.T) {
	t.Parallel()
	whole := wholeStore(t, 600)
	for name, use := range map[string]func(s *jobs.Store) error{
		"Unit":     func(s *jobs.Store) error { return errOf(s.Unit(unitN(9))) },
		"Attempt":  func(s *jobs.Store) error { return errOf(s.Attempt(9)) },
		"Attempts": func(s *jobs.Store) error { return lastError(s.Attempts(jobs.Filter{})) },
		"Units":    func(s *jobs.Store) error { return lastError(s.Units()) },
		"Reworks":  func(s *jobs.Store) error { return lastError(s.Reworks(unitA, 0)) },
		"Begin":    func(s *jobs.Store) error { return errOf(s.Begin(jobs.Attempt{Slot: "1"})) },
		"Identify": func(s *jobs.Store) error { return errOf(s.Identify(1, unitN(9), chip)) },
		"Finish":   func(s *jobs.Store) error { return errOf(s.Finish(1, pass())) },
		"Recover":  func(s *jobs.Store) error { return errOf(s.Recover(t0)) },
		"Check":    func(s *jobs.Store) error { return s.Check() },
		"AllowRework": func(s *jobs.Store) error {
			return errOf(s.AllowRework(jobs.Rework{Unit: unitN(9), Reason: "test", By: "test"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jobs.db")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			s := must(jobs.Open(path))(t)
			f := must(os.OpenFile(path, os.O_WRONLY, 0))(t)
			for _, page := range inUse(whole, leaf, branch) { // all, as the root itself may be read already
				must(f.WriteAt([]byte("damaged!"), int64(page)*pageSize))(t)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			damaged := must(os.ReadFile(path))(t)
			for _, again := range []func(*jobs.Store) error{use, func(s *jobs.Store) error { return errOf(s.Begin(jobs.Attempt{Slot: "1"})) }} {
				if err := again(s); !errors.Is(err, jobs.ErrDamaged) || strings.Contains(err.Error(), "goroutine") {
					t.Errorf("%v, want ErrDamaged", err)
				}
			}
			closeStore(t, s)
			if string(must(os.ReadFile(path))(t)) != string(damaged) {
				t.Error("something was committed to the damaged file")
			}
			if _, err := jobs.OpenReadOnly(path); !errors.Is(err, jobs.ErrDamaged) {
				t.Errorf("opened again: %v, want ErrDamaged, not the lock", err)
			}
		})
	}
}

// Whatever happened to the file before it is opened neither brings the process
// down nor hangs it, whether Open finds it or not.
func FuzzDamage(f *testing.F) {
	whole := wholeStore(f, 60)
	f.Add(uint32(16), uint64(0))
	f.Add(uint32(4*pageSize+16), uint64(1)<<40)
	for _, page := range inUse(whole, leaf, branch, freelist) {
		f.Add(uint32(page*pageSize+8), ^uint64(0))
		f.Add(uint32(page*pageSize+24), uint64(page))
	}
	f.Fuzz(func(t *testing.T, offset uint32, value uint64) {
		data := bytes.Clone(whole)
		binary.NativeEndian.PutUint64(data[int(offset)%(len(data)-8):], value)
		path := filepath.Join(t.TempDir(), "jobs.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := jobs.Open(path)
		if err != nil {
			if !errors.Is(err, jobs.ErrDamaged) && !errors.Is(err, jobs.ErrNewer) {
				t.Errorf("%v, want ErrDamaged", err)
			}
			return
		}
		_ = errors.Join(s.Check(), lastError(s.Units()), lastError(s.Attempts(jobs.Filter{})), lastError(s.Reworks("", 0)))
		if a, err := s.Begin(jobs.Attempt{Slot: "1"}); err == nil {
			_, _ = s.Identify(a.ID, unitN(3), chip)
		}
		closeStore(t, s)
	})
}
