package nvsgen

import "iter"

// query is a search in the pages.
type query struct {
	ns    byte    // or anyNamespace
	kind  Type    // or typeAny
	key   *string // nil: any
	chunk byte    // of blob data, or anyChunk
	first byte    // first chunk that a blob index has to name, or anyChunk
}

func ptr[T any](v T) *T { return &v }

// lookup returns the first head in the index at or behind entry from that has
// the hash, or noEntry.
func (p *flashPage) lookup(from int, hash uint32) int {
	for _, x := range p.index {
		if x.entry >= from && x.hash == hash {
			return x.entry
		}
	}
	return noEntry
}

// find returns the first entry at or behind from that answers q, and puts it
// into it. It has the firmware's rules: a key is looked up by its hash; a head
// of the right key and the wrong type ends the search of the page. it is
// overwritten even when nothing is found. Faulty heads that the search meets
// are erased.
func (p *flashPage) find(q query, from int, it *item) (at int, ok bool) {
	if !p.live() || from >= EntriesPerPage {
		return 0, false
	}
	start := p.firstUsed
	if from > start {
		start = from
	}
	if q.ns != anyNamespace && q.key != nil && (q.kind != typeBlobData || q.chunk != anyChunk) {
		start = p.lookup(start, searchHash([]byte{q.ns}, keyField(*q.key), []byte{q.chunk}))
	}
	for i, next := start, 0; i < min(p.next, EntriesPerPage); i = next {
		next = i + 1
		if entryState(p.raw, i) != entryWritten {
			continue
		}
		*it = p.read(i)
		if fault := it.fault(i); fault != "" {
			p.drop(i, fault)
			continue
		}
		if it.kind().variable() {
			next = i + it.span()
		}
		switch q.match(it) {
		case matches:
			return i, true
		case ends:
			return i, false
		}
	}
	return 0, false
}

type verdict int

const (
	differs verdict = iota // search on
	matches
	ends // nothing behind can match
)

func (q query) match(it *item) verdict {
	switch {
	case q.ns != anyNamespace && it.namespace() != q.ns,
		q.key != nil && it.key() != *q.key,
		q.kind == typeBlobData && q.chunk != anyChunk && it.chunk() != q.chunk,
		q.kind == typeBlobData && q.chunk == anyChunk && it.kind() != typeBlobData:
		return differs
	case q.kind == TypeBlob && q.chunk == anyChunk && it.kind() == typeBlobIndex:
		return ends
	case q.kind == TypeBlob && q.chunk == anyChunk && it.kind() == typeBlobData,
		q.kind == typeBlobIndex && it.chunk() != anyChunk,
		q.kind == typeBlobIndex && q.first != anyChunk && it.firstChunk() != q.first:
		return differs
	case q.kind == typeAny || it.kind() == q.kind:
		return matches
	case q.key == nil && q.ns == anyNamespace && q.chunk == anyChunk:
		return differs
	default:
		return ends
	}
}

// eraseFound erases what answers q, and reports whether there was something.
func (p *flashPage) eraseFound(q query, why string) bool {
	var it item
	at, ok := p.find(q, 0, &it)
	if ok {
		p.drop(at, why)
	}
	return ok
}

// each calls yield with every head of the page that answers q.
func (p *flashPage) each(q query) iter.Seq2[int, item] {
	return func(yield func(int, item) bool) {
		var it item
		for from := 0; ; {
			at, ok := p.find(q, from, &it)
			if !ok || !yield(at, it) {
				return
			}
			from = at + it.span()
		}
	}
}
