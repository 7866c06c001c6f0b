package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// newFile writes a file that has its name only once it is whole and on disk, with
// a mode that the umask narrows. check looks at it before, under the name that it
// has until then. A file of the name is replaced only with overwrite.
func newFile(name string, mode fs.FileMode, overwrite bool, write func(io.Writer) error, check func(temp string) error) (err error) {
	if err := mayWrite(name, overwrite); err != nil {
		return err
	}
	f, err := createTemp(name, mode)
	if err != nil {
		return err
	}
	temp := f.Name()
	defer func() { _ = os.Remove(temp) }() // fails once it is renamed
	out := bufio.NewWriterSize(f, 1<<20)
	err = write(out)
	if err := errors.Join(err, out.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := check(temp); err != nil {
		return err
	}
	if err := mayWrite(name, overwrite); err != nil { // it took a while
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// mayWrite refuses what a file cannot be put in the place of.
func mayWrite(name string, overwrite bool) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return usagef("%s is a folder: name a file in it", name)
	case !overwrite:
		return withHint(exitFailure, fmt.Errorf("%s is there already", name), "Name another file, or say --force to replace it.")
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", name)
	}
	return nil
}

// createTemp makes a file beside name. Unlike os.CreateTemp it has the mode that
// is asked for.
func createTemp(name string, mode fs.FileMode) (*os.File, error) {
	for n := os.Getpid(); ; n++ {
		f, err := os.OpenFile(fmt.Sprintf("%s.new-%d", name, n), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if e, failed := errors.AsType[*fs.PathError](err); failed {
			e.Path = name
		}
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// packed compresses what is written to w if the name of the file says so.
func packed(name string, w io.Writer) (io.WriteCloser, error) {
	switch filepath.Ext(name) {
	case ".gz":
		return gzip.NewWriter(w), nil
	case ".zst":
		return zstd.NewWriter(w)
	default:
		return plain{w}, nil
	}
}

// plain is a writer that has nothing to close.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }
