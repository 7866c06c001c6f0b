package jobs

import (
	"fmt"
	"io"
	"strconv"

	"go.etcd.io/bbolt"
)

// migrations bring a store from one schema to the next, from schema 1 on.
var migrations = []func(*bbolt.Tx) error{
	1: indexByWord,
}

// migrate brings the store to this schema in one transaction, after it has put a
// copy beside it. A copy that is there is of an earlier try, and is replaced.
func (s *Store) migrate() error {
	return s.guarded(func() error {
		err := writeFile(copyPath(s.path, s.schema), func(w io.Writer) error {
			_, err := s.Backup(w)
			return err
		})
		if err != nil {
			return fmt.Errorf("copy it first: %w", err)
		}
		return s.db.Update(func(tx *bbolt.Tx) error {
			for _, migration := range migrations[s.schema:] {
				if err := migration(tx); err != nil {
					return err
				}
			}
			return putSchema(tx)
		})
	})
}

// copyPath is where the copy of a store is kept that had an older schema.
func copyPath(path string, schema int) string { return fmt.Sprintf("%s.schema%d.bak", path, schema) }

func putSchema(tx *bbolt.Tx) error {
	return tx.Bucket(bucketMeta).Put(keySchema, strconv.AppendInt(nil, Schema, 10))
}

// indexByWord leads from schema 1 to 2: attempts are found by words, and can be in
// archives. Going by their start, each index grows at its end.
func indexByWord(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketByWord, bucketArchives} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	b := booksOf(tx)
	return b.byStart.ForEach(func(key, _ []byte) error {
		a, err := b.attempt(idOf(key))
		if err != nil {
			return fmt.Errorf("attempt %d: %w", idOf(key), err)
		}
		return b.index(a)
	})
}
