package jobs

import (
	"encoding/json"
	"os"
	"syscall"

	"go.etcd.io/bbolt"
)

// mark says in which state flashd closed a store, in a file beside it. A store
// that is still in that state was whole then and has not been touched since, so
// that Open need not read all of it. Whoever kills flashd, cuts the power, edits
// the store or puts another one in its place leaves no mark, or one that is wrong.
type mark struct {
	Transaction int    `json:"transaction"` // the last one
	Size        int64  `json:"size"`        // of the file, bytes
	Changed     int64  `json:"changed"`     // when the file was last written to, nanoseconds since 1970
	Inode       uint64 `json:"inode"`
}

func markPath(path string) string { return path + ".closed" }

// stateOf returns the mark that a store has to have.
func stateOf(info os.FileInfo, tx *bbolt.Tx) mark {
	m := mark{Transaction: tx.ID(), Size: info.Size(), Changed: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		m.Inode = st.Ino
	}
	return m
}

// closedInOrder reports whether the store is as its mark says, and takes the mark
// away if this process is going to write.
func (s *Store) closedInOrder(info os.FileInfo, tx *bbolt.Tx) bool {
	data, err := os.ReadFile(markPath(s.path))
	if err != nil {
		return false
	}
	if !s.db.IsReadOnly() {
		_ = os.Remove(markPath(s.path)) // one that stays is wrong after the first write
	}
	var m mark
	return json.Unmarshal(data, &m) == nil && m == stateOf(info, tx)
}

// markClosed writes the mark. Without one the next Open takes longer, and that is
// all, so that errors need not be told. It must not say what is not yet on disk:
// every transaction is, once it has been committed.
func (s *Store) markClosed() {
	if s.db.IsReadOnly() {
		return
	}
	_ = s.db.View(func(tx *bbolt.Tx) error {
		info, err := s.file.Stat()
		if err != nil {
			return err
		}
		data, err := json.Marshal(stateOf(info, tx))
		if err != nil {
			return err
		}
		return os.WriteFile(markPath(s.path), append(data, '\n'), 0o600)
	})
}
