package jobs

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"go.etcd.io/bbolt"
)

// guarded runs a transaction. bbolt trusts its pages, so that damaged ones make
// it panic or fault: that becomes ErrDamaged. What panicked may hold bbolt's locks
// and has left it in an unknown state, so no other transaction begins after it.
//
// Pages that came to refer to each other in a circle are the one damage that it
// cannot stop, since Go ends a process whose stack overflows. So every Open looks
// for them, and what is left are those that appear while the store is open, and
// those in leaves that Open does not read.
func (s *Store) guarded(transaction func() error) (err error) {
	if cause := s.broken.Load(); cause != nil {
		return *cause
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = s.condemn(fmt.Errorf("%w (%v)", ErrDamaged, p))
		}
	}()
	return transaction()
}

// condemn lets no transaction begin any more, has the next Open read all of the
// store, and returns why.
func (s *Store) condemn(cause error) error {
	s.broken.CompareAndSwap(nil, &cause)
	s.removeMark()
	return cause
}

func (s *Store) view(fn func(books) error) error {
	return s.guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error { return fn(booksOf(tx)) })
	})
}

// update runs fn in a write transaction of its own.
func (s *Store) update(fn func(books) error) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	return s.commit(fn)
}

// ErrUnwritten is returned when the disk does not take a write: it is full, say.
// Nothing has changed in the store then, and the same write can be tried again.
var ErrUnwritten = errors.New("the record cannot be written")

func (s *Store) commit(fn func(books) error) error {
	return s.guarded(func() error {
		var refused error // by fn, which is no fault of the disk
		err := s.db.Update(func(tx *bbolt.Tx) error {
			refused = fn(booksOf(tx))
			return refused
		})
		if err != nil && refused == nil {
			return fmt.Errorf("%w: %w", ErrUnwritten, err)
		}
		return err
	})
}

// write is one that shares its transaction with others.
type write struct {
	fn   func(books) error
	done chan error // has room for one
}

// batch runs fn in a write transaction, together with all others that came while
// the one before was synced. fn may run more than once. bbolt has such a batch,
// but commits it in a goroutine of its own, where a panic ends the process.
func (s *Store) batch(fn func(books) error) error {
	w := &write{fn, make(chan error, 1)}
	s.queued.Lock()
	s.queue = append(s.queue, w)
	s.queued.Unlock()

	s.writer.Lock()
	defer s.writer.Unlock()
	s.queued.Lock()
	waiting := s.queue // without w if another's batch took it along
	s.queue = nil
	s.queued.Unlock()
	s.commitAll(waiting)
	return <-w.done
}

// commitAll commits the writes in one transaction, but each that fails alone.
func (s *Store) commitAll(writes []*write) {
	for len(writes) > 0 {
		failed := -1
		err := s.commit(func(b books) error {
			for i, w := range writes {
				if err := w.fn(b); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed < 0 || len(writes) == 1 {
			for _, w := range writes {
				w.done <- err
			}
			return
		}
		// It may have failed on account of another, which is now undone.
		writes[failed].done <- s.commit(writes[failed].fn)
		writes = slices.Delete(writes, failed, failed+1)
	}
}
