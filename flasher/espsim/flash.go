package espsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"sync"
)

// The geometry of every SPI NOR flash that Espressif's loaders know.
const (
	pageSize   = 256
	sectorSize = 4 << 10
	blockSize  = 64 << 10
)

// Flash is a SPI NOR flash chip: erasing sets whole sectors to FF, programming
// only clears bits. It may be used from several goroutines.
type Flash struct {
	mu   sync.Mutex
	size int
	// sectors holds the content; nil is a blank sector. Only used without file.
	sectors [][]byte
	file    *os.File
}

// NewFlash returns a blank flash of size bytes (a power of two, 1 MiB or more)
// held in memory.
func NewFlash(size int) *Flash {
	return &Flash{size: size, sectors: make([][]byte, size/sectorSize)}
}

// OpenFlash returns the flash whose content is the file at path, which is
// created blank when missing. Every change is written through at once, so that
// a process killed in the middle leaves what had been programmed.
func OpenFlash(path string, size int) (*Flash, error) {
	if err := CheckFlashSize(size); err != nil {
		return nil, err
	}
	if err := createBlank(path, size); err != nil {
		return nil, fmt.Errorf("flash image: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("flash image: %w", err)
	}
	f := &Flash{size: size, file: file}
	if err := f.checkSize(); err != nil {
		return nil, errors.Join(fmt.Errorf("flash image %s: %w", path, err), file.Close())
	}
	return f, nil
}

// createBlank makes a file of FF where there is none: whole or not at all, in
// case the process is killed meanwhile. Only its owner may read it, since a
// flash holds credentials.
func createBlank(path string, size int) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	blank := bytes.Repeat([]byte{0xFF}, blockSize)
	for range size / blockSize {
		if _, err := file.Write(blank); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// CheckFlashSize refuses sizes that no flash chip has.
func CheckFlashSize(size int) error {
	if size < 1<<20 || size > 128<<20 || bits.OnesCount(uint(size)) != 1 {
		return fmt.Errorf("flash size %d: want 1, 2, 4, 8, 16, 32, 64 or 128 MiB", size)
	}
	return nil
}

// checkSize refuses a file of another size.
func (f *Flash) checkSize() error {
	info, err := f.file.Stat()
	if err == nil && info.Size() != int64(f.size) {
		err = fmt.Errorf("it holds %d bytes, not %d: give its size, or another file", info.Size(), f.size)
	}
	return err
}

// Close closes the file behind the flash, if there is one.
func (f *Flash) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Size returns the capacity in bytes.
func (f *Flash) Size() int { return f.size }

// Bytes returns a copy of the whole content.
func (f *Flash) Bytes() []byte {
	b := make([]byte, f.size)
	f.read(b, 0)
	return b
}

// ReadAt implements io.ReaderAt.
func (f *Flash) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(f.size) {
		return 0, io.EOF
	}
	n := min(len(p), f.size-int(off))
	f.read(p[:n], int(off))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read fills p from address off; addresses beyond the capacity wrap around, as
// they do on a chip that lacks the upper address bits.
func (f *Flash) read(p []byte, off int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.each(off, len(p), func(sector, within, from, n int) {
		copy(p[from:from+n], f.load(sector)[within:])
	})
}

// Program clears the bits of the flash that are 0 in data.
func (f *Flash) Program(off int, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	f.each(off, len(data), func(sector, within, from, n int) {
		content := f.load(sector)
		for i, b := range data[from : from+n] {
			content[within+i] &= b
		}
		if err := f.store(sector, content); err != nil {
			failed = err
		}
	})
	return failed
}

// Erase sets the sectors that overlap [off, off+n) to FF.
func (f *Flash) Erase(off, n int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	blank := bytes.Repeat([]byte{0xFF}, sectorSize)
	for at := off &^ (sectorSize - 1); at < off+n; at += sectorSize {
		if err := f.store(at%f.size/sectorSize, blank); err != nil {
			return err
		}
	}
	return nil
}

// each cuts [off, off+n) at sector borders.
func (f *Flash) each(off, n int, do func(sector, within, from, n int)) {
	for from := 0; from < n; {
		at := (off + from) % f.size
		within := at % sectorSize
		run := min(sectorSize-within, n-from)
		do(at/sectorSize, within, from, run)
		from += run
	}
}

// load returns the content of a sector; the caller may change the slice.
func (f *Flash) load(sector int) []byte {
	content := make([]byte, sectorSize)
	switch {
	case f.file != nil:
		// A file that went away reads as nothing programmed; store reports it.
		if _, err := f.file.ReadAt(content, int64(sector)*sectorSize); err != nil {
			fill(content, 0xFF)
		}
	case f.sectors[sector] != nil:
		copy(content, f.sectors[sector])
	default:
		fill(content, 0xFF)
	}
	return content
}

func (f *Flash) store(sector int, content []byte) error {
	if f.file != nil {
		_, err := f.file.WriteAt(content, int64(sector)*sectorSize)
		return err
	}
	if bytes.Count(content, []byte{0xFF}) == len(content) {
		f.sectors[sector] = nil
		return nil
	}
	f.sectors[sector] = bytes.Clone(content)
	return nil
}

func fill(p []byte, b byte) {
	for i := range p {
		p[i] = b
	}
}
