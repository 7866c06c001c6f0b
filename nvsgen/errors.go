package nvsgen

import (
	"errors"
	"fmt"
)

var (
	// ErrNameTooLong is returned when a key or namespace has more than
	// [MaxKeyLen] bytes.
	ErrNameTooLong = errors.New("name too long")
	// ErrBadName is returned when a key or namespace cannot be stored.
	ErrBadName = errors.New("name cannot be stored")
	// ErrValueTooLong is returned when a string or blob is longer than the
	// format allows.
	ErrValueTooLong = errors.New("value too long")
	// ErrBadValue is returned when a value is not of its type, or cannot be
	// read back as it is.
	ErrBadValue = errors.New("bad value")
	// ErrDuplicateKey is returned when a key appears twice in a namespace.
	ErrDuplicateKey = errors.New("duplicate key")
	// ErrNoNamespace is returned when a key has no namespace.
	ErrNoNamespace = errors.New("no namespace")
	// ErrTooManyNamespaces is returned when there are more than
	// [MaxNamespaces] namespaces.
	ErrTooManyNamespaces = errors.New("too many namespaces")
	// ErrSize is returned when a size in bytes cannot be that of a partition.
	ErrSize = errors.New("impossible partition size")
	// ErrFull is returned when the entries do not fit into the partition.
	ErrFull = errors.New("partition full")
	// ErrVersion is returned when a format version is neither 1 nor 2.
	ErrVersion = errors.New("unknown format version")
	// ErrNoFreePage is returned when no page is left blank, as the firmware
	// needs one to move entries to.
	ErrNoFreePage = errors.New("no free page")
	// ErrNewVersion is returned when a page is of a format that is newer than
	// version 2.
	ErrNewVersion = errors.New("newer format")
	// ErrDamaged is returned when a page is damaged so that the firmware gives
	// up on the partition.
	ErrDamaged = errors.New("damaged partition")
	// ErrKeys is returned when a keys partition or HMAC key cannot be used.
	ErrKeys = errors.New("unusable keys")
	// ErrWrongKeys is returned when a partition cannot be read with the keys
	// given, or without any. Firmware would erase everything in it.
	ErrWrongKeys = errors.New("wrong keys")
	// ErrCSV is returned when a CSV file breaks the rules of its columns.
	ErrCSV = errors.New("bad CSV")
)

// EntryError says which entry cannot be stored, and why. Its text never holds
// a value, which may be a secret.
type EntryError struct {
	Index          int // into the entries given
	Row            int // line of the CSV file, from 1; 0 if the entry came from elsewhere
	Namespace, Key string
	Err            error
}

func (e *EntryError) Error() string {
	where := fmt.Sprintf("entry %d", e.Index+1)
	if e.Row > 0 {
		where = fmt.Sprintf("row %d", e.Row)
	}
	return fmt.Sprintf("%s, %s/%s: %v", where, quote(e.Namespace), quote(e.Key), e.Err)
}

func (e *EntryError) Unwrap() error { return e.Err }
