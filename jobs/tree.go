package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// tree is one bucket's tree of pages on the way through it.
type tree struct {
	kind    string // of bucket, which is the name of most; "" for the root
	floor   []byte // no further key is before it
	last    []byte // the latest key
	keys    int    // how many there were
	buckets []entry
}

type entry struct {
	key, value []byte
}

// elements checks the elements of a page, and the pages below a branch.
func (w *walker) elements(page []byte, depth int) error {
	kind, count := order.Uint16(page[8:]), int(order.Uint16(page[10:]))
	at := pageHeader + count*element // where the next key is
	if at > len(page) || kind != leafKind && (kind != branchKind || count == 0) {
		return fmt.Errorf("kind %#x with %d elements", kind, count)
	}
	leaves := false // whether the pages below are leaves
	for i := range count {
		e := page[pageHeader+i*element:][:element]
		layout, valueSize := e, uint64(0)
		if kind == leafKind {
			layout, valueSize = e[4:], uint64(order.Uint32(e[12:]))
		}
		position, keySize := uint64(order.Uint32(layout)), uint64(order.Uint32(layout[4:]))
		if uint64(pageHeader+i*element)+position != uint64(at) || keySize+valueSize > uint64(len(page)-at) {
			return fmt.Errorf("element %d is not where it should be", i)
		}
		key, value := page[at:][:keySize], page[at+int(keySize):][:valueSize]
		at += int(keySize + valueSize)
		var err error
		if kind == branchKind {
			leaves, err = w.child(key, order.Uint64(e[8:]), depth, leaves)
		} else {
			err = w.tree.add(key, value, order.Uint32(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// child checks the page below a branch, which holds keys from key on. It reports
// whether that is a leaf. A quick walker does not read one if the last was one,
// since all leaves of a tree are at the same depth.
func (w *walker) child(key []byte, page uint64, depth int, leaf bool) (bool, error) {
	t := w.tree
	if t.keys > 0 && bytes.Compare(key, t.last) <= 0 || bytes.Compare(key, t.floor) < 0 {
		return false, errors.New("keys out of order")
	}
	t.floor = append(t.floor[:0], key...)
	if w.quick && leaf {
		return true, w.claim(page, 1)
	}
	kind, err := w.page(page, depth+1)
	return kind == leafKind, err
}

// add takes the next entry of a leaf.
func (t *tree) add(key, value []byte, flags uint32) error {
	if t.keys > 0 && bytes.Compare(key, t.last) <= 0 || bytes.Compare(key, t.floor) < 0 {
		return errors.New("keys out of order")
	}
	t.last = append(t.last[:0], key...)
	t.keys++
	switch holds := t.kind == "" || t.kind == string(bucketByWord); {
	case holds && flags == bucketFlag:
		t.buckets = append(t.buckets, entry{bytes.Clone(key), bytes.Clone(value)})
		return nil
	case holds || flags != 0:
		return fmt.Errorf("entry with flags %#x", flags)
	default:
		return checkEntry(t.kind, key, value)
	}
}

// checkEntry checks what can be seen of an entry without decoding its record: a
// record is under the ID that it begins with, and an index has keys of one length.
func checkEntry(kind string, key, value []byte) error {
	size, begin := 0, ""
	switch kind {
	case string(bucketAttempts), string(bucketReworks), string(bucketArchives):
		if size = 8; len(key) == size {
			begin = `{"id":` + strconv.FormatUint(idOf(key), 10) + `,`
		}
	case string(bucketUnits):
		size, begin = 12, `{"id":"`+string(key)+`",`
	case string(bucketByStart), string(bucketOpen):
		size = 16
	case string(bucketByUnit):
		size = 28
	case string(bucketReworksByUnit):
		size = 20
	default:
		return nil
	}
	if len(key) != size {
		return fmt.Errorf("a key of %d bytes, want %d", len(key), size)
	}
	if begin == "" {
		return nil
	}
	if !bytes.HasPrefix(value, []byte(begin)) || value[len(value)-1] != '}' {
		return fmt.Errorf("key %s: damaged record", keyText(key))
	}
	return nil
}
