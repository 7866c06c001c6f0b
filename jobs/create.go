package jobs

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
)

// unfinished is in the name of a store that is not yet whole, before a number.
const unfinished = ".new-"

// create makes an empty store at path unless there is a file. The store is
// complete and synced before it gets its name, so that a crash leaves either
// none or a whole one, and of two processes that create it at once one does.
func create(path string) (err error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+unfinished+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeIfThere(f.Name())) }()
	if err := f.Close(); err != nil {
		return err
	}
	if err := initialize(f.Name()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		// Another process was first. It may already have tidied this one's file away.
		if _, missing := os.Stat(path); missing != nil {
			return err
		}
	}
	return syncDir(dir)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeUnfinished removes what processes left behind that were killed in create or
// writeFile. The caller holds the store: a process that is in create at this moment
// finds that store and does without its own. What cannot be removed does no harm.
func removeUnfinished(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		digits, ours := strings.CutPrefix(e.Name(), filepath.Base(path)+unfinished)
		if ours && e.Type().IsRegular() && digits != "" && strings.Trim(digits, "0123456789") == "" {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

func initialize(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return putSchema(tx)
	})
	return errors.Join(err, db.Close())
}

// writeFile makes a file that is there only once it is whole and on disk. It has
// mode 0600, and replaces one of its name.
func writeFile(path string, write func(io.Writer) error) (err error) {
	removeUnfinished(path)
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+unfinished+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeIfThere(f.Name())) }()
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(w)
	if err := errors.Join(err, w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the name of a new file survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
