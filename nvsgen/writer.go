package nvsgen

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// writer lays entries into pages, one after the other. It adds pages as needed;
// whether they fit is asked afterwards, so that a refusal can tell the size
// that would do.
type writer struct {
	image      []byte
	version    byte
	tight      bool
	page       []byte // the last of image, active
	next       int    // its first free entry
	namespaces map[string]byte
	seen       map[keyOf]int // index of the entry that has a key
	scratch    []byte
}

type keyOf struct {
	ns  byte
	key string
}

func newWriter(size int, version byte, tight bool) *writer {
	w := &writer{
		image:      make([]byte, 0, size),
		version:    version,
		tight:      tight,
		namespaces: map[string]byte{},
		seen:       map[keyOf]int{},
		scratch:    make([]byte, 0, 4*EntrySize),
	}
	w.newPage()
	return w
}

// writeAll writes the entries, for which limit pages are allowed beside spare
// ones that stay blank.
func (w *writer) writeAll(entries []Entry, limit, spare int) error {
	over := -1
	for i, e := range entries {
		if err := w.write(i, entries); err != nil {
			return &EntryError{Index: i, Row: e.row, Namespace: e.Namespace, Key: e.Key, Err: err}
		}
		if over < 0 && w.pages() > limit {
			over = i
		}
	}
	if over < 0 {
		return nil
	}
	e := entries[over]
	err := fmt.Errorf(
		"%w: the partition of %#x bytes has %d pages of %d entries for data, and the values need %d pages; make it %#x bytes, or store less",
		ErrFull, (limit+spare)*PageSize, limit, EntriesPerPage, w.pages(), (w.pages()+spare)*PageSize,
	)
	return &EntryError{Index: over, Row: e.row, Namespace: e.Namespace, Key: e.Key, Err: err}
}

func (w *writer) write(i int, entries []Entry) error {
	e := entries[i]
	if err := e.check(w.version); err != nil {
		return err
	}
	ns, err := w.namespace(e)
	if err != nil || e.Value == nil {
		return err
	}
	id := keyOf{ns, e.Key}
	if first, dup := w.seen[id]; dup {
		return fmt.Errorf("%w: the namespace has this key already from %s; remove one of the two", ErrDuplicateKey, nameRow(first, entries[first]))
	}
	w.seen[id] = i
	w.scratch = e.Value.appendTo(w.scratch[:0])
	switch data := w.scratch; {
	case e.Value.Type() == TypeBlob && w.version != version1:
		w.blob(ns, e.Key, data)
	case e.Value.Type().variable():
		w.onePage(ns, e.Key, e.Value.Type(), data)
	default:
		w.number(ns, e.Key, e.Value.Type(), data)
	}
	return nil
}

// nameRow is how an error text names an earlier entry.
func nameRow(i int, e Entry) string {
	if e.row > 0 {
		return fmt.Sprintf("row %d", e.row)
	}
	return fmt.Sprintf("entry %d", i+1)
}

// namespace returns the index of e's namespace, and names it in flash when it
// is new.
func (w *writer) namespace(e Entry) (byte, error) {
	if ns, ok := w.namespaces[e.Namespace]; ok {
		return ns, nil
	}
	if e.Namespace == "" && e.Value != nil {
		return 0, fmt.Errorf("%w: the key has no namespace; name one", ErrNoNamespace)
	}
	if len(w.namespaces) == MaxNamespaces {
		return 0, fmt.Errorf("%w: this is namespace number %d, the limit is %d; put keys together", ErrTooManyNamespaces, MaxNamespaces+1, MaxNamespaces)
	}
	ns := byte(len(w.namespaces) + 1)
	w.namespaces[e.Namespace] = ns
	w.number(namespaceIndex, e.Namespace, TypeU8, []byte{ns})
	return ns, nil
}

func (w *writer) number(ns byte, key string, t Type, value []byte) {
	if w.next == EntriesPerPage {
		w.newPage()
	}
	copy(w.head(ns, t, 1, anyChunk, key)[24:], value)
	w.commit(nil)
}

// onePage writes a string, or a blob of version 1. It has to lie in one page.
func (w *writer) onePage(ns byte, key string, t Type, data []byte) {
	span := spanOf(len(data))
	// Espressif's generator leaves a page as soon as the entry would reach its
	// end, one entry earlier than necessary. Only the longest strings, which
	// it cannot write at all, may fill a page to the end.
	end := EntriesPerPage
	if !w.tight && w.next > 0 {
		end--
	}
	if w.next+span > end {
		w.newPage()
	}
	putLength(w.head(ns, t, span, anyChunk, key), data)
	w.commit(data)
}

// blob writes the chunks of a blob, as much to each page as it takes, and the
// index that joins them.
func (w *writer) blob(ns byte, key string, data []byte) {
	if w.next == EntriesPerPage {
		w.newPage()
	}
	chunks := byte(0)
	for rest := data; ; chunks++ {
		room := (EntriesPerPage - w.next - 1) * EntrySize
		n := min(room, len(rest))
		putLength(w.head(ns, typeBlobData, spanOf(n), chunks, key), rest[:n])
		w.commit(rest[:n])
		rest = rest[n:]
		if len(rest) > 0 || room-n < EntrySize {
			w.newPage()
		}
		if len(rest) == 0 {
			chunks++
			break
		}
	}
	head := w.head(ns, typeBlobIndex, 1, anyChunk, key)
	binary.LittleEndian.PutUint32(head[24:], uint32(len(data)))
	head[28], head[29] = chunks, 0
	w.commit(nil)
}

// head starts the next entry; commit ends it.
func (w *writer) head(ns byte, t Type, span int, chunk byte, key string) []byte {
	e := entryAt(w.page, w.next)
	e[0], e[1], e[2], e[3] = ns, byte(t), byte(span), chunk
	clear(e[8:24])
	copy(e[8:24], key)
	return e
}

func putLength(head, data []byte) {
	binary.LittleEndian.PutUint16(head[24:], uint16(len(data)))
	binary.LittleEndian.PutUint32(head[28:], checksum(data))
}

// commit seals the entry begun with head, and puts its data behind it.
func (w *writer) commit(data []byte) {
	e := entryAt(w.page, w.next)
	binary.LittleEndian.PutUint32(e[4:], entryChecksum(e))
	copy(w.page[entryOffset+(w.next+1)*EntrySize:], data)
	for range spanOf(len(data)) {
		setEntryState(w.page, w.next, entryWritten)
		w.next++
	}
}

func (w *writer) pages() int { return len(w.image) / PageSize }

// newPage declares the page at hand full and starts another.
func (w *writer) newPage() {
	if w.page != nil {
		setPageState(w.page, stateFull)
	}
	n := w.pages()
	w.image = appendBlank(w.image, PageSize)
	w.page, w.next = w.image[n*PageSize:], 0
	putPageHeader(w.page, uint32(n), w.version)
}

// closeIfAmbiguous declares the last page full if two of its keys have the same
// search hash: in an active page, firmware of every version would take them for
// one key and erase the first.
func (w *writer) closeIfAmbiguous() {
	hashes := make([]uint32, 0, w.next)
	for i := 0; i < w.next; {
		head := item(entryAt(w.page, i))
		hashes = append(hashes, head.hash())
		i += head.span()
	}
	heads := len(hashes)
	slices.Sort(hashes)
	if len(slices.Compact(hashes)) < heads {
		setPageState(w.page, stateFull)
	}
}

// blankPage is what an erase leaves.
var blankPage = bytes.Repeat([]byte{0xFF}, PageSize)

func appendBlank(b []byte, n int) []byte {
	b = slices.Grow(b, n)
	for ; n >= PageSize; n -= PageSize {
		b = append(b, blankPage...)
	}
	return b
}
