package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// SaveSlots puts slots into the file at path in place of those that are there,
// or makes a file with them alone. The file as it was gives way to the new one
// in one step, with the same owner and mode, or stays. A file that is not right
// stays as well.
func SaveSlots(path string, slots Slots) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // not the link, but what it names
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return replace(path, []byte(slots.String()), nil)
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	edited, err := withSlots(path, text, slots)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return replace(path, edited, info)
}

// CanSaveSlots returns why SaveSlots would fail at path, or nil, so that nobody
// goes to the trouble of finding out slots that cannot be kept.
func CanSaveSlots(path string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	const write, enter = 2, 1 // W_OK and X_OK of access(2)
	dir := filepath.Dir(path)
	if err := syscall.Access(dir, write|enter); err != nil {
		return fmt.Errorf("this user may not write into %s: %w", dir, err)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	_, err = withSlots(path, text, Slots{{Path: "1-1", Name: "1"}})
	return err
}

// replace writes text to path through a file beside it. old is what is there.
func replace(path string, text []byte, old fs.FileInfo) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it is of no use
			err = fmt.Errorf("write the configuration: %w", err)
		}
	}()
	err = errors.Join(dress(f, old), writeAll(f, text), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// dress gives f the owner and mode of old; without one, everybody may read it:
// there is no secret in it.
func dress(f *os.File, old fs.FileInfo) error {
	if old == nil {
		return f.Chmod(0o644)
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(old.Mode().Perm())
}

func writeAll(f *os.File, text []byte) error {
	_, err := f.Write(text)
	return errors.Join(err, f.Sync())
}

// syncDir makes a change of names in dir last through a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
