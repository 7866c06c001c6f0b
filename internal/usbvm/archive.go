package usbvm

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// archive writes cpio's newc format, as the kernel unpacks it
// (Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	w     io.Writer
	inode int
	names map[string]bool // written already
}

func newArchive(w io.Writer) *archive { return &archive{w: w, names: map[string]bool{".": true}} }

// Types of file, in the upper bits of the mode.
const (
	typeDir  = 0o040000
	typeFile = 0o100000
)

// file adds a file and the folders on the way to it. What is there already
// stays.
func (a *archive) file(name string, mode fs.FileMode, data []byte) error {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if a.names[name] {
		return nil
	}
	if err := a.dir(path.Dir(name)); err != nil {
		return err
	}
	return a.entry(name, typeFile|uint32(mode.Perm()), data)
}

func (a *archive) dir(name string) error {
	if a.names[name] {
		return nil
	}
	if err := a.dir(path.Dir(name)); err != nil {
		return err
	}
	return a.entry(name, typeDir|0o755, nil)
}

// finish ends the archive.
func (a *archive) finish() error { return a.entry("TRAILER!!!", 0, nil) }

func (a *archive) entry(name string, mode uint32, data []byte) error {
	a.names[name] = true
	a.inode++
	// magic, inode, mode, user, group, links, time, size, device and rdev in
	// two halves each, length of the name with its end, checksum
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	head := header + name + "\x00"
	for _, part := range []string{head, padding(len(head)), string(data), padding(len(data))} {
		if _, err := io.WriteString(a.w, part); err != nil {
			return err
		}
	}
	return nil
}

// padding fills up to a multiple of four.
func padding(n int) string { return "\x00\x00\x00"[:(4-n%4)%4] }
