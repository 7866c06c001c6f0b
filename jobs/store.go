package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Schema is the version of the file's layout that this package writes.
const Schema = 1

const (
	// lockWait is how long Open waits for another process to let go of the
	// store: a CLI verb may be reading it just now.
	lockWait = 800 * time.Millisecond
	// batchDelay is how long a write waits for others to share its sync with.
	batchDelay = 5 * time.Millisecond
)

var (
	// ErrInUse is returned when another process holds the store.
	ErrInUse = errors.New("the store is in use by another process")
	// ErrNone is returned when there is no store to read.
	ErrNone = errors.New("there is no store yet")
	// ErrNewer is returned when the store was written by a flashd newer than this one.
	ErrNewer = errors.New("the store was written by a newer flashd: use that one")
	// ErrDamaged is returned when the file is not a store, or no longer a whole one.
	ErrDamaged = errors.New("not a whole flashd store: restore it from a backup or move it away")
)

// Store is the record in one file. Its methods may be used by many goroutines.
type Store struct {
	db        *bbolt.DB
	inherited uint64 // ID of the last attempt recorded before this process opened the store
}

// Open opens the store at path for reading and writing, and creates it, with
// mode 0600, if there is none. No other process can open it until Close. It
// waits for less than a second for one that holds it, then returns ErrInUse.
func Open(path string) (*Store, error) {
	err := create(path)
	if err != nil {
		return nil, fmt.Errorf("create store %s: %w", path, err)
	}
	return open(path, false)
}

// OpenReadOnly opens the store at path for reading, beside others that read it.
// It returns ErrInUse when a process has it open for writing, and ErrNone when
// there is no store.
func OpenReadOnly(path string) (*Store, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, fmt.Errorf("store %s: %w", path, ErrNone)
	}
	return open(path, true)
}

// Close lets go of the store, once the transactions under way have ended.
func (s *Store) Close() error { return s.db.Close() }

func open(path string, readOnly bool) (*Store, error) {
	s, err := openFile(path, readOnly)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		err = ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		err = fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return s, nil
}

func openFile(path string, readOnly bool) (s *Store, err error) {
	var file *os.File // with the lock on it
	// A file cut short makes bbolt fault or panic: say so in a sentence.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			// What bbolt has mapped keeps the lock alive beyond Close.
			unlock := syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			s, err = nil, errors.Join(fmt.Errorf("%w (%v)", ErrDamaged, p), unlock, file.Close())
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockWait,
		ReadOnly:     readOnly,
		FreelistType: bbolt.FreelistMapType, // the array slows down as a big file fragments
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = batchDelay
	s = &Store{db: db}
	if err := db.View(s.inspect); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// inspect checks that the file is one that this package can work with.
func (s *Store) inspect(tx *bbolt.Tx) error {
	info, err := os.Stat(s.db.Path())
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w (%d of %d bytes)", ErrDamaged, info.Size(), tx.Size())
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return fmt.Errorf("%w (no bucket %s)", ErrDamaged, bucketMeta)
	}
	schema, err := strconv.Atoi(string(meta.Get(keySchema)))
	switch {
	case err != nil:
		return fmt.Errorf("%w (schema %q)", ErrDamaged, meta.Get(keySchema))
	case schema > Schema:
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, schema, Schema)
	}
	for _, name := range allBuckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w (no bucket %s)", ErrDamaged, name)
		}
	}
	s.inherited = tx.Bucket(bucketAttempts).Sequence()
	return nil
}

var keySchema = []byte("schema")

// create makes an empty store at path unless there is a file. The store is
// complete and synced before it gets its name, so that a crash leaves either
// none or a whole one, and of two processes that create it at once one does.
func create(path string) (err error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err := f.Close(); err != nil {
		return err
	}
	if err := initialize(f.Name()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
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
		return tx.Bucket(bucketMeta).Put(keySchema, strconv.AppendInt(nil, Schema, 10))
	})
	return errors.Join(err, db.Close())
}

// syncDir makes the name of a new file survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
