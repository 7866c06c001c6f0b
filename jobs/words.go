package jobs

import (
	"bytes"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// words makes the words of fields and their values; what is "" is none.
//
// A word is one thing that attempts can be filtered by: "slot=left-1". Each has a
// bucket of its own, with the keys of its attempts in the order of their start.
// So a filter of any words is the intersection of their buckets, and costs about
// as much as the smallest of them, however many attempts there are.
func words(fieldsAndValues ...string) (all [][]byte) {
	for pair := range slices.Chunk(fieldsAndValues, 2) {
		if pair[1] != "" {
			all = append(all, []byte(pair[0]+"="+pair[1]))
		}
	}
	return all
}

// words lists what a can be found by.
func (a Attempt) words() [][]byte {
	var f Failure
	if a.Failure != nil {
		f = *a.Failure
	}
	return words("kind", f.Kind, "phase", f.Phase, "blame", string(f.Blame),
		"outcome", string(a.Outcome), "release", a.Release, "slot", a.Slot)
}

// words lists those that f wants all of.
func (f Filter) words() [][]byte {
	return words("kind", f.Kind, "phase", f.Phase, "blame", string(f.Blame),
		"outcome", string(f.Outcome), "release", f.Release, "slot", f.Slot)
}

// index enters a under its words. An attempt keeps the words that it has, and
// under those it is already.
func (b books) index(a Attempt) error {
	key := startKey("", a.Start, a.ID)
	for _, w := range a.words() {
		bucket, err := b.byWord.CreateBucketIfNotExists(w)
		if err != nil {
			return err
		}
		bucket.FillPercent = 1 // it grows at its end
		if !has(bucket, key) {
			if err := bucket.Put(key, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// unindex removes a from under its words.
func (b books) unindex(a Attempt) error {
	key := startKey("", a.Start, a.ID)
	var all error
	for _, w := range a.words() {
		if bucket := b.byWord.Bucket(w); bucket != nil {
			all = errors.Join(all, bucket.Delete(key))
		}
	}
	return all
}

// has reports whether an index has a key: Get returns nil for the empty values
// of one.
func has(b *bbolt.Bucket, key []byte) bool {
	k, _ := b.Cursor().Seek(key)
	return bytes.Equal(k, key)
}
