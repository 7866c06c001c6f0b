package jobs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The layout of a bbolt file, from its internal/common package. Numbers are in
// the byte order of the machine. A page begins with
//
//	ID uint64, kind uint16, count uint16, overflow uint32
//
// and goes on for overflow pages more. count elements follow, then their keys
// and values in the same order without gaps:
//
//	branch: position uint32, key size uint32, page uint64
//	leaf:   flags uint32, position uint32, key size uint32, value size uint32
//
// where a position counts from the start of its element. The value of a bucket is
// root uint64, sequence uint64; with root 0 its only page follows. The free list
// is page numbers; from 65535 on the first of them is their count.
const (
	pageHeader  = 16
	element     = 16
	bucketValue = 16

	branchKind   = 0x01
	leafKind     = 0x02
	freelistKind = 0x10
	bucketFlag   = 0x01

	// A meta page holds, after its header: magic, version, page size and flags,
	// all uint32; root, sequence, free list, page count, transaction, checksum.
	metaRoot     = pageHeader + 16
	metaFreelist = pageHeader + 32
	metaPages    = pageHeader + 40
	metaSize     = pageHeader + 64

	noFreelist = ^uint64(0)
	maxDepth   = 32 // of a tree; two million attempts take four levels
)

var order = binary.NativeEndian

// walker reads pages from the root on, without bbolt: that trusts what it reads,
// and can be led out of the file or round in circles.
type walker struct {
	file    io.ReaderAt
	size    int      // of a page, bytes
	quick   bool     // of the leaves below one branch, read the first only
	used    []bool   // pages met so far
	buffers [][]byte // one for each level of the tree
	tree    *tree
	met     int // pages
	tell    Progress
}

// roots are what a transaction left: the value of the bucket that holds all buckets,
// the page where the free list begins, and how many pages there are.
type roots struct {
	root            []byte
	freelist, pages uint64
}

// rootsOf reads the roots of transaction txid.
func rootsOf(file io.ReaderAt, size int, txid uint64) (roots, error) {
	meta := make([]byte, metaSize)
	// Transactions write their meta page in turns; bbolt has checked its checksum.
	if _, err := file.ReadAt(meta, int64(txid%2)*int64(size)); err != nil {
		return roots{}, err
	}
	return roots{meta[metaRoot:][:bucketValue], order.Uint64(meta[metaFreelist:]), order.Uint64(meta[metaPages:])}, nil
}

// whole checks every page, and that every record is under its own key. It decodes
// no record: its cost is that of reading the file once.
func (r roots) whole(file io.ReaderAt, size int, tell Progress) error {
	w := &walker{file: file, size: size, used: make([]bool, r.pages), tell: tell}
	err := w.all(r)
	if err == nil && r.freelist != noFreelist {
		if lost := slices.Index(w.used[2:], false); lost >= 0 {
			err = fmt.Errorf("page %d is lost: neither used nor free", lost+2)
		}
	}
	if err == nil && tell != nil {
		err = tell(Pages, len(w.used), len(w.used))
	}
	return err
}

// branches checks all pages but most of the leaves: that bbolt is not led round in
// circles, and does not take a page in use for a free one. That is a hundredth of
// the file. Damage within a leaf shows when it is read.
func (r roots) branches(file io.ReaderAt, size int) error {
	w := &walker{file: file, size: size, used: make([]bool, r.pages), quick: true}
	return w.all(r)
}

func (w *walker) all(r roots) error {
	if err := w.bucket(entry{[]byte("root"), r.root}, ""); err != nil || r.freelist == noFreelist {
		return err
	}
	return w.free(r.freelist)
}

// bucket checks the tree of a bucket, and those of the buckets in it.
func (w *walker) bucket(b entry, kind string) error {
	t := &tree{kind: kind}
	if err := w.walk(t, b.value); err != nil {
		return fmt.Errorf("bucket %.40q: %w", b.key, err)
	}
	for _, inner := range t.buckets {
		kind := string(inner.key)
		if t.kind == string(bucketByWord) {
			kind = string(bucketByStart) // its keys are of that kind
		}
		if err := w.bucket(inner, kind); err != nil {
			return err
		}
	}
	return nil
}

// walk checks the pages of the bucket with a value.
func (w *walker) walk(t *tree, value []byte) error {
	w.tree = t
	if len(value) < bucketValue {
		return errors.New("no root")
	}
	if root := order.Uint64(value); root != 0 {
		_, err := w.page(root, 0)
		return err
	}
	page := value[bucketValue:]
	if len(page) < pageHeader || order.Uint16(page[8:]) != leafKind {
		return errors.New("no page")
	}
	return w.elements(page, 0)
}

// page checks a page and what is below it, and returns the kind of page.
func (w *walker) page(id uint64, depth int) (kind uint16, err error) {
	page, err := w.read(id, depth)
	if err == nil {
		kind = order.Uint16(page[8:])
		err = w.elements(page, depth)
	}
	if err != nil {
		return 0, fmt.Errorf("page %d: %w", id, err)
	}
	if w.tell != nil {
		err = w.tell(Pages, w.met, len(w.used))
	}
	return kind, err
}

// read takes a page, with its overflow, that nothing else may use.
func (w *walker) read(id uint64, depth int) ([]byte, error) {
	if depth == maxDepth {
		return nil, errors.New("too deep in the tree")
	}
	if len(w.buffers) == depth {
		w.buffers = append(w.buffers, make([]byte, w.size))
	}
	if err := w.claim(id, 1); err != nil {
		return nil, err
	}
	page, at := w.buffers[depth][:w.size], int64(id)*int64(w.size)
	if _, err := w.file.ReadAt(page, at); err != nil {
		return nil, err
	}
	if got := order.Uint64(page); got != id {
		return nil, fmt.Errorf("it says that it is page %d", got)
	}
	overflow := uint64(order.Uint32(page[12:]))
	if overflow == 0 {
		return page, nil
	}
	if err := w.claim(id+1, overflow); err != nil {
		return nil, err
	}
	page = make([]byte, w.size*int(overflow+1))
	w.buffers[depth] = page
	_, err := w.file.ReadAt(page, at)
	return page, err
}

// claim marks n pages from id as used.
func (w *walker) claim(id, n uint64) error {
	pages := uint64(len(w.used))
	if id < 2 || id > pages || n > pages-id { // 0 and 1 are the meta pages
		return fmt.Errorf("%d pages from %d on are not in the file", n, id)
	}
	for i := id; i < id+n; i++ {
		if w.used[i] {
			return fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	w.met += int(n)
	return nil
}

// free checks that no page is both free and in use: the next write would
// destroy it.
func (w *walker) free(id uint64) error {
	page, err := w.read(id, 0)
	if err != nil {
		return fmt.Errorf("free list on page %d: %w", id, err)
	}
	list, count := page[pageHeader:], uint64(order.Uint16(page[10:]))
	if count == 0xFFFF {
		count, list = order.Uint64(list), list[8:]
	}
	if kind := order.Uint16(page[8:]); kind != freelistKind || count > uint64(len(list)/8) {
		return fmt.Errorf("free list on page %d: kind %#x with %d pages", id, kind, count)
	}
	for i := range count {
		if err := w.claim(order.Uint64(list[8*i:]), 1); err != nil {
			return fmt.Errorf("free list: %w", err)
		}
	}
	return nil
}
