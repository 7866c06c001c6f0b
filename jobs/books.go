package jobs

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// ErrNoAttempt is returned when there is no attempt with the ID.
var ErrNoAttempt = errors.New("no such attempt")

// The buckets; see the package comment for their keys.
var (
	bucketMeta          = []byte("meta")
	bucketAttempts      = []byte("attempts")
	bucketByStart       = []byte("attempts-by-start")
	bucketByUnit        = []byte("attempts-by-unit")
	bucketOpen          = []byte("attempts-open")
	bucketByWord        = []byte("attempts-by-word")
	bucketUnits         = []byte("units")
	bucketReworks       = []byte("reworks")
	bucketReworksByUnit = []byte("reworks-by-unit")
	bucketArchives      = []byte("archives")
)

// firstBuckets are those of schema 1.
var firstBuckets = [][]byte{
	bucketMeta, bucketAttempts, bucketByStart, bucketByUnit, bucketOpen,
	bucketUnits, bucketReworks, bucketReworksByUnit,
}

var allBuckets = slices.Concat(firstBuckets, [][]byte{bucketByWord, bucketArchives})

// books are the store's buckets within one transaction.
type books struct {
	attempts, byStart, byUnit, byWord, open, units, reworks, reworksByUnit, archives *bbolt.Bucket
}

func booksOf(tx *bbolt.Tx) books {
	b := books{
		attempts:      tx.Bucket(bucketAttempts),
		byStart:       tx.Bucket(bucketByStart),
		byUnit:        tx.Bucket(bucketByUnit),
		byWord:        tx.Bucket(bucketByWord),
		open:          tx.Bucket(bucketOpen),
		units:         tx.Bucket(bucketUnits),
		reworks:       tx.Bucket(bucketReworks),
		reworksByUnit: tx.Bucket(bucketReworksByUnit),
		archives:      tx.Bucket(bucketArchives),
	}
	// These only grow at their end: fuller pages make a smaller file. Attempts
	// grow a little while they are open, so they keep some room. So do units, most
	// of which come in the order of their MACs.
	b.attempts.FillPercent, b.byStart.FillPercent, b.reworks.FillPercent = 0.9, 1, 1
	b.units.FillPercent, b.byUnit.FillPercent = 0.8, 0.8
	return b
}

func idKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// startKey is the key of an attempt in an index, after the index's prefix.
func startKey(prefix string, start time.Time, id uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte(prefix), nanoseconds(start)), id)
}

func idOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// nanoseconds counts from 1970. Times outside of what an int64 holds, from
// 1970 to 2262, become its ends.
func nanoseconds(t time.Time) uint64 {
	switch {
	case t.Before(time.Unix(0, 0)):
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return uint64(t.UnixNano())
}

func put(b *bbolt.Bucket, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, data)
}

// get reads the record at key; missing is the error if there is none.
func get[T any](b *bbolt.Bucket, key []byte, missing error) (T, error) {
	data := b.Get(key)
	if data == nil {
		return *new(T), missing
	}
	return decode[T](data)
}

func decode[T any](data []byte) (T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return *new(T), fmt.Errorf("damaged record (%w): %w", err, ErrDamaged)
	}
	return v, nil
}

func (b books) attempt(id uint64) (Attempt, error) {
	s, err := get[stored](b.attempts, idKey(id), ErrNoAttempt)
	if err != nil {
		return Attempt{}, err
	}
	return s.attempt()
}

func (b books) unit(id string) (Unit, error) {
	return get[Unit](b.units, []byte(id), ErrNoUnit)
}

func (b books) putAttempt(a Attempt) error { return put(b.attempts, idKey(a.ID), a.store()) }
func (b books) putUnit(u Unit) error       { return put(b.units, []byte(u.ID), u) }
