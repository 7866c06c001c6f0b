package jobs

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"
)

// migrations bring a store from one schema to the next, from schema 1 on, in as many
// transactions as they like: one that was cut off is done again from its start.
var migrations = []func(*bbolt.DB) error{
	1: indexByWord,
}

// migrate brings the store to this schema, after it has put a copy beside it.
func (s *Store) migrate() error {
	return s.guarded(func() error {
		if err := s.copyBefore(); err != nil {
			return fmt.Errorf("copy it first: %w", err)
		}
		for _, migration := range migrations[s.schema:] {
			if err := migration(s.db); err != nil {
				return err
			}
		}
		return s.db.Update(putSchema)
	})
}

// copyBefore copies the store as it was before any migration. A copy that is there
// is of another store if this one has yet to be begun, and replaced.
func (s *Store) copyBefore() error {
	begun := false
	err := s.db.View(func(tx *bbolt.Tx) error {
		begun = tx.Bucket(bucketByWord) != nil
		return nil
	})
	if err != nil || begun {
		return err
	}
	return writeFile(copyPath(s.path, s.schema), func(w io.Writer) error {
		_, err := s.Backup(w)
		return err
	})
}

// copyPath is where the copy of a store is kept that had an older schema.
func copyPath(path string, schema int) string { return fmt.Sprintf("%s.schema%d.bak", path, schema) }

func putSchema(tx *bbolt.Tx) error {
	return tx.Bucket(bucketMeta).Put(keySchema, strconv.AppendInt(nil, Schema, 10))
}

// indexedAtOnce is how many attempts are indexed in one transaction, which takes
// some kilobytes of memory for each.
const indexedAtOnce = 10_000

// indexByWord leads from schema 1 to 2: attempts are found by words, and can be in
// archives. Going by their start, each index grows at its end.
func indexByWord(db *bbolt.DB) error {
	for from := []byte{}; from != nil; {
		err := db.Update(func(tx *bbolt.Tx) (err error) {
			for _, name := range [][]byte{bucketByWord, bucketArchives} {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			from, err = booksOf(tx).indexFrom(from)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// indexFrom indexes the attempts from a key in attempts-by-start on, and returns
// where to go on, nil at the end.
func (b books) indexFrom(from []byte) ([]byte, error) {
	c := b.byStart.Cursor()
	key, _ := c.Seek(from)
	for n := 0; key != nil && n < indexedAtOnce; n++ {
		a, err := b.attempt(idOf(key))
		if err == nil {
			err = b.index(a)
		}
		if err != nil {
			return nil, fmt.Errorf("attempt %d: %w", idOf(key), err)
		}
		key, _ = c.Next()
	}
	return slices.Clone(key), nil
}
