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
)

// Schema is the version of the file's layout that this package writes.
const Schema = 2

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
	// ErrOlder is returned when a store is opened for reading that was written by a
	// flashd older than this one. Open migrates it.
	ErrOlder = errors.New("the store was written by an older flashd and has yet to be migrated")
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
	path      string
	db        *bbolt.DB
	file      *os.File // that db works on
	schema    int      // of the file as it was found
	inherited uint64   // ID of the last attempt recorded before this process opened the store

	writer sync.Mutex // held for a write transaction
	queued sync.Mutex // guards queue
	queue  []*write   // that wait for writer

	broken atomic.Pointer[error] // why no transaction may begin any more
}

// Open opens the store at path for reading and writing, and creates it, with
// mode 0600, if there is none. No other process can open it until Close. It
// waits for less than a second for one that holds it, then returns ErrInUse.
//
// It looks for damage before it writes. In a store that flashd closed, or was killed
// at, that is where a write could destroy something, and after a kill in what was
// recorded last: it takes milliseconds however big the file is, and Verify reads the
// rest. In any other, such as a backup that was put back, it reads the whole file.
//
// A store of an older schema is migrated. A copy of it as it was stays beside it:
// FILE.schema1.bak.
func Open(path string) (*Store, error) {
	err := create(path)
	if err != nil {
		return nil, fmt.Errorf("create store %s: %w", path, explain(err))
	}
	s, err := open(path, false)
	if err != nil {
		return nil, err
	}
	removeUnfinished(path)
	if s.schema < Schema {
		if err := s.migrate(); err != nil {
			return nil, fmt.Errorf("migrate store %s from schema %d to %d: %w", path, s.schema, Schema, errors.Join(explain(err), s.Close()))
		}
	}
	s.writeMark(true)
	return s, nil
}

// OpenReadOnly opens the store at path for reading, beside others that read it.
// It returns ErrInUse when a process has it open for writing, ErrNone when there
// is no store, and ErrOlder when there is one that Open has to migrate first.
func OpenReadOnly(path string) (*Store, error) {
	s, err := open(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store %s: %w", path, ErrNone)
	}
	return s, err
}

// Close lets go of the store, once the transactions under way have ended.
func (s *Store) Close() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.broken.Load() == nil {
		s.writeMark(false)
		return s.db.Close()
	}
	return letGo(s.file) // bbolt would wait for the locks of what panicked
}

// letGo closes a file that bbolt goes on to have mapped, and so locked.
func letGo(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

func open(path string, readOnly bool) (*Store, error) {
	s, err := openFile(path, readOnly)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, explain(err))
	}
	return s, nil
}

func openFile(path string, readOnly bool) (s *Store, err error) {
	s = &Store{path: path}
	// A file cut short makes bbolt fault or panic: say so in a sentence.
	err = s.guarded(func() error { return s.openFile(readOnly) })
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

func (s *Store) openFile(readOnly bool) (err error) {
	s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout:         lockWait,
		ReadOnly:        readOnly,
		FreelistType:    bbolt.FreelistMapType, // the array slows down as a big file fragments
		InitialMmapSize: s.mapSize(),
		OpenFile:        s.take,
	})
	if err != nil {
		return err
	}
	s.db.AllocSize = growth
	return s.db.View(s.inspect)
}

// growth is by how much the file grows at a time, in bytes: some hundred attempts.
const growth = 256 << 10

// mapSize is how much address space to map. A bigger map than the file means that
// no writer has to wait for long readers, such as a backup, so that it can map the
// file anew. It takes no memory; 32 bits have no addresses to spare.
func (s *Store) mapSize() int {
	info, err := os.Stat(s.path)
	if err != nil || strconv.IntSize < 64 {
		return 0
	}
	return int(info.Size()) + 1<<30
}

// take opens the file for bbolt, which would fill an empty one; create is what
// makes stores.
func (s *Store) take(name string, flag int, mode os.FileMode) (*os.File, error) {
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
}

// inspect checks that the file is one that this package can work with.
func (s *Store) inspect(tx *bbolt.Tx) error {
	cutOff, err := s.inspectPages(tx)
	if err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return fmt.Errorf("%w (no bucket %s)", ErrDamaged, bucketMeta)
	}
	schema, err := strconv.Atoi(string(meta.Get(keySchema)))
	buckets := allBuckets
	switch {
	case err != nil || schema < 1:
		return fmt.Errorf("%w (schema %q)", ErrDamaged, meta.Get(keySchema))
	case schema > Schema:
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, schema, Schema)
	case schema < Schema && s.db.IsReadOnly():
		return fmt.Errorf("%w (schema %d, this one writes %d)", ErrOlder, schema, Schema)
	case schema < Schema:
		buckets = firstBuckets
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w (no bucket %s)", ErrDamaged, name)
		}
	}
	s.schema, s.inherited = schema, tx.Bucket(bucketAttempts).Sequence()
	if cutOff && schema == Schema { // a migration reads all attempts anyway
		if err := newChecker(tx, nil).checkNewest(); err != nil {
			return fmt.Errorf("%w (%w)", ErrDamaged, err)
		}
	}
	return nil
}

// inspectPages comes before anything that bbolt reads. It reports whether flashd
// was cut off when it last worked on the store.
func (s *Store) inspectPages(tx *bbolt.Tx) (cutOff bool, err error) {
	info, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < tx.Size() {
		return false, fmt.Errorf("%w (%d of %d bytes)", ErrDamaged, info.Size(), tx.Size())
	}
	size := s.db.Info().PageSize
	roots, err := rootsOf(s.file, size, uint64(tx.ID()))
	if err != nil {
		return false, err
	}
	was, is := s.readMark(), stateOf(info, tx)
	if !s.db.IsReadOnly() {
		s.removeMark() // until the store turns out to be whole
	}
	if cutOff = was.leftOpen(is); cutOff || was == is {
		err = roots.branches(s.file, size)
	} else {
		err = roots.whole(s.file, size, nil)
	}
	if err != nil {
		return false, fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return cutOff, nil
}

var keySchema = []byte("schema")
