package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Schema is the version of the file's layout that this package writes.
const Schema = 1

// lockWait is how long Open waits for another process to let go of the store: a
// CLI verb may be reading it just now.
const lockWait = 800 * time.Millisecond

var (
	// ErrInUse is returned when another process holds the store.
	ErrInUse = errors.New("the store is in use by another process")
	// ErrNone is returned when there is no store to read.
	ErrNone = errors.New("there is no store yet")
	// ErrNewer is returned when the store was written by a flashd newer than this one.
	ErrNewer = errors.New("the store was written by a newer flashd: use that one")
	// ErrEmpty is returned when the file is there, but has no bytes. That is not
	// the same as no file: a new store gets its name only when it is whole, so
	// something else emptied this one, and starting anew would provision units
	// again that have passed.
	ErrEmpty = errors.New("the store is empty (0 bytes), which flashd never leaves behind: restore it from a backup, or remove it to begin a new record")
	// ErrDamaged is returned when the file is not a store, or no longer a whole one.
	ErrDamaged = errors.New("not a whole flashd store: restore it from a backup or move it away")
)

// Store is the record in one file. Its methods may be used by many goroutines.
type Store struct {
	db        *bbolt.DB
	file      *os.File // that db works on
	inherited uint64   // ID of the last attempt recorded before this process opened the store

	writer sync.Mutex // held for a write transaction
	queued sync.Mutex // guards queue
	queue  []*write   // that wait for writer

	broken atomic.Pointer[error] // why no transaction may begin any more
}

// Open opens the store at path for reading and writing, and creates it, with
// mode 0600, if there is none. No other process can open it until Close. It
// waits for less than a second for one that holds it, then returns ErrInUse.
// It reads the whole file to find out whether it is damaged, before it writes.
func Open(path string) (*Store, error) {
	err := create(path)
	if err != nil {
		return nil, fmt.Errorf("create store %s: %w", path, err)
	}
	s, err := open(path, false)
	if err == nil {
		removeUnfinished(path)
	}
	return s, err
}

// OpenReadOnly opens the store at path for reading, beside others that read it.
// It returns ErrInUse when a process has it open for writing, and ErrNone when
// there is no store.
func OpenReadOnly(path string) (*Store, error) {
	s, err := open(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store %s: %w", path, ErrNone)
	}
	return s, err
}

// Close lets go of the store, once the transactions under way have ended.
func (s *Store) Close() error {
	if s.broken.Load() == nil {
		return s.db.Close()
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	return letGo(s.file) // bbolt would wait for the locks of what panicked
}

// letGo closes a file that bbolt goes on to have mapped, and so locked.
func letGo(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

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
	s = &Store{}
	// A file cut short makes bbolt fault or panic: say so in a sentence.
	err = s.guarded(func() error { return s.openFile(path, readOnly) })
	switch {
	case err == nil:
		return s, nil
	case s.broken.Load() != nil && s.file != nil:
		err = errors.Join(err, letGo(s.file))
	case s.db != nil:
		err = errors.Join(err, s.db.Close())
	}
	return nil, err
}

func (s *Store) openFile(path string, readOnly bool) (err error) {
	s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockWait,
		ReadOnly:     readOnly,
		FreelistType: bbolt.FreelistMapType, // the array slows down as a big file fragments
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			// bbolt would fill an empty file; create is what makes stores.
			file, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			if err != nil {
				return nil, err
			}
			info, err := file.Stat()
			if err == nil && info.Size() == 0 {
				err = ErrEmpty
			}
			if err != nil {
				return nil, errors.Join(err, file.Close())
			}
			s.file = file
			return file, nil
		},
	})
	if err != nil {
		return err
	}
	return s.db.View(s.inspect)
}

// inspect checks that the file is one that this package can work with.
func (s *Store) inspect(tx *bbolt.Tx) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w (%d of %d bytes)", ErrDamaged, info.Size(), tx.Size())
	}
	if err := s.checkStructure(tx); err != nil {
		return err
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
