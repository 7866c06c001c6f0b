package jobs

import (
	"encoding/json"
	"os"
	"syscall"

	"go.etcd.io/bbolt"
)

// mark is what flashd last knew of a store, in a file beside it, so that Open need
// not read all of it.
//
// One that was closed and is still as it was then was whole, and is.
//
// One that is still marked as open belonged to a flashd that was killed, or whose
// power was cut. That damages nothing: bbolt puts no page over one in use, and
// refers to new pages only once they are on disk. A disk that loses what it said
// it has can lose what was written last, and nothing else.
//
// Whoever edits a store, copies it or puts another one in its place leaves no mark,
// or one that is wrong, and has all of it read.
type mark struct {
	Inode       uint64 `json:"inode"`
	Open        bool   `json:"open"`
	Transaction int    `json:"transaction"` // the last one, as far as is known
	Size        int64  `json:"size"`        // of the file, bytes
	Changed     int64  `json:"changed"`     // when the file was last written to, nanoseconds since 1970
}

func markPath(path string) string { return path + ".mark" }

// stateOf returns the mark of a store as it is now.
func stateOf(info os.FileInfo, tx *bbolt.Tx) mark {
	m := mark{Transaction: tx.ID(), Size: info.Size(), Changed: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		m.Inode = st.Ino
	}
	return m
}

// leftOpen reports whether flashd was at work on the store with mark m when it
// was killed, and nobody has put another one in its place since.
func (m mark) leftOpen(now mark) bool {
	return m.Open && m.Inode == now.Inode && m.Transaction <= now.Transaction
}

// readMark returns the mark of the store, an empty one if there is none.
func (s *Store) readMark() (m mark) {
	data, err := os.ReadFile(markPath(s.path))
	if err != nil || json.Unmarshal(data, &m) != nil {
		return mark{}
	}
	return m
}

// writeMark marks the store as open or closed. Without a mark the next Open takes
// longer, and that is all, so that errors need not be told. It says nothing that is
// not yet on disk: every transaction is, once it has been committed.
func (s *Store) writeMark(open bool) {
	if s.db.IsReadOnly() {
		return
	}
	_ = s.db.View(func(tx *bbolt.Tx) error {
		info, err := s.file.Stat()
		if err != nil {
			return err
		}
		now := stateOf(info, tx)
		now.Open = open
		data, err := json.Marshal(now)
		if err != nil {
			return err
		}
		return os.WriteFile(markPath(s.path), append(data, '\n'), 0o600)
	})
}

// removeMark has the next Open read all of the store.
func (s *Store) removeMark() { _ = os.Remove(markPath(s.path)) }
