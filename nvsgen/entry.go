package nvsgen

import (
	"fmt"
	"strconv"
	"strings"
)

// Entry is one key of a namespace with its value.
//
// An Entry without a Value only declares its namespace: see [Namespace].
type Entry struct {
	Namespace, Key string
	Value          Value

	row int // line of the CSV file that it comes from, for error texts
}

// Namespace declares a namespace. A namespace comes into being with its first
// key anyway; only one that has to exist without any key needs this, and the
// one whose name is empty, so that a forgotten name is noticed.
func Namespace(name string) Entry { return Entry{Namespace: name} }

// String returns an entry that holds text, read by nvs_get_str.
func String(ns, key, value string) Entry { return Entry{Namespace: ns, Key: key, Value: Text(value)} }

// Blob returns an entry that holds bytes, read by nvs_get_blob.
func Blob(ns, key string, value []byte) Entry {
	return Entry{Namespace: ns, Key: key, Value: Bytes(value)}
}

// U8 returns an entry that holds an unsigned byte. Arduino's
// Preferences.putBool is a U8 of 0 or 1.
func U8(ns, key string, v uint8) Entry { return Entry{Namespace: ns, Key: key, Value: Uint8(v)} }

// I8 returns an entry that holds a signed byte.
func I8(ns, key string, v int8) Entry { return Entry{Namespace: ns, Key: key, Value: Int8(v)} }

// U16 returns an entry that holds an unsigned 16-bit number.
func U16(ns, key string, v uint16) Entry { return Entry{Namespace: ns, Key: key, Value: Uint16(v)} }

// I16 returns an entry that holds a signed 16-bit number.
func I16(ns, key string, v int16) Entry { return Entry{Namespace: ns, Key: key, Value: Int16(v)} }

// U32 returns an entry that holds an unsigned 32-bit number.
func U32(ns, key string, v uint32) Entry { return Entry{Namespace: ns, Key: key, Value: Uint32(v)} }

// I32 returns an entry that holds a signed 32-bit number.
func I32(ns, key string, v int32) Entry { return Entry{Namespace: ns, Key: key, Value: Int32(v)} }

// U64 returns an entry that holds an unsigned 64-bit number.
func U64(ns, key string, v uint64) Entry { return Entry{Namespace: ns, Key: key, Value: Uint64(v)} }

// I64 returns an entry that holds a signed 64-bit number.
func I64(ns, key string, v int64) Entry { return Entry{Namespace: ns, Key: key, Value: Int64(v)} }

// String names e without its value, which may be a secret.
func (e Entry) String() string {
	if e.Value == nil {
		return fmt.Sprintf("namespace %s", quote(e.Namespace))
	}
	return fmt.Sprintf("%s (%v)", e.path(), e.Value.Type())
}

// Equal reports whether e and o put the same thing into a partition.
func (e Entry) Equal(o Entry) bool {
	return e.Namespace == o.Namespace && e.Key == o.Key && sameValue(e.Value, o.Value)
}

func (e Entry) path() string { return quote(e.Namespace) + "/" + quote(e.Key) }

// check refuses what the format cannot hold on pages of the given version.
func (e Entry) check(version byte) error {
	if err := checkName(e.Namespace); err != nil {
		return fmt.Errorf("namespace %w", err)
	}
	if e.Value == nil {
		return nil
	}
	if err := checkName(e.Key); err != nil {
		return fmt.Errorf("key %w", err)
	}
	switch v := e.Value.(type) {
	case Text:
		return checkText(v, version)
	case Bytes:
		return checkBytes(v, version)
	default:
		return nil
	}
}

func checkName(name string) error {
	if len(name) > MaxKeyLen {
		return fmt.Errorf("%w: %s has %d bytes, the limit is %d; choose a shorter name", ErrNameTooLong, quote(name), len(name), MaxKeyLen)
	}
	if strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: %q holds a NUL, where the firmware ends it; choose a name without", ErrBadName, name)
	}
	return nil
}

func checkText(v Text, version byte) error {
	limit, remedy := MaxStringLen, "store it as a blob (encoding binary)"
	if version == version1 {
		limit, remedy = MaxLenV1-1, "use version 2"
	}
	if len(v) > limit {
		return fmt.Errorf("%w: the string has %d bytes, the limit is %d; %s", ErrValueTooLong, len(v), limit, remedy)
	}
	if strings.ContainsRune(string(v), 0) {
		return fmt.Errorf("%w: the string holds a NUL, where the firmware ends it; store it as a blob (encoding binary)", ErrBadValue)
	}
	return nil
}

func checkBytes(v Bytes, version byte) error {
	limit, remedy := MaxBlobLen, "split it over several keys"
	if version == version1 {
		limit, remedy = MaxLenV1, "use version 2"
	}
	if len(v) > limit {
		return fmt.Errorf("%w: the blob has %d bytes, the limit is %d; %s", ErrValueTooLong, len(v), limit, remedy)
	}
	return nil
}

// quote puts quotation marks only where a name would be unclear without.
func quote(name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '/' || r == 0x7F || r == '\uFFFD'
	})
	if plain {
		return name
	}
	return strconv.Quote(name)
}
