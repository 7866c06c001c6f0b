package nvsgen

import (
	"slices"
	"strings"
)

// everything is the query for all heads of a page.
var everything = query{ns: anyNamespace, kind: typeAny, chunk: anyChunk, first: anyChunk}

// readEntries reads every key by its name, as an application does: what a name
// does not lead to is out of its reach.
func (m *mount) readEntries(p *Partition) {
	for _, page := range m.list {
		for at, it := range page.each(everything) {
			if it.namespace() == namespaceIndex {
				if it.kind() == TypeU8 {
					p.rows = append(p.rows, Namespace(it.key()))
				}
				continue
			}
			if it.kind() == typeBlobData {
				continue // a blob is read by its index
			}
			ns, ok := m.nameOf(it.namespace())
			if !ok {
				page.report(at, "the namespace %d of key %s has no name", it.namespace(), quote(it.key()))
				continue
			}
			value, from, fault := m.readValue(ns, &it)
			if fault != "" {
				page.report(at, "key %s/%s: %s", quote(ns), quote(it.key()), fault)
				continue
			}
			if from != (place{page, at}) {
				page.report(at, "key %s/%s: the firmware reads page %d, entry %d instead", quote(ns), quote(it.key()), from.page.number, from.at)
			}
			p.Entries = append(p.Entries, Entry{Namespace: ns, Key: it.key(), Value: value})
			p.rows = append(p.rows, p.Entries[len(p.Entries)-1])
		}
	}
	p.rows = tidyRows(p.rows)
}

func (m *mount) nameOf(index byte) (string, bool) {
	i := slices.IndexFunc(m.namespaces, func(n NamespaceInfo) bool { return n.Index == int(index) })
	if i < 0 {
		return "", false
	}
	return m.namespaces[i].Name, true
}

// indexOf is the namespace that the firmware opens by a name.
func (m *mount) indexOf(name string) byte {
	i := slices.IndexFunc(m.namespaces, func(n NamespaceInfo) bool { return n.Name == name })
	return byte(m.namespaces[i].Index)
}

// readValue reads the key of a head by its name, or tells why the firmware
// cannot.
func (m *mount) readValue(ns string, it *item) (v Value, from place, fault string) {
	q := query{ns: m.indexOf(ns), kind: it.kind(), key: ptr(it.key()), chunk: anyChunk, first: anyChunk}
	if it.kind() == TypeBlob { // one of the newer format goes first
		q.kind = typeBlobIndex
	}
	from, head, ok := m.find(q)
	if !ok && it.kind() == TypeBlob {
		q.kind = TypeBlob
		from, head, ok = m.find(q)
	}
	switch {
	case !ok:
		return nil, from, "the firmware does not find it"
	case head.kind() == typeBlobIndex:
		v, fault = m.readChunks(q, &head)
		return v, from, fault
	case !head.kind().variable():
		return head.number(), from, ""
	}
	data, fault := from.page.readData(from.at, &head)
	if head.kind() == TypeBlob {
		return Bytes(data), from, fault
	}
	return Text(strings.TrimSuffix(string(data), "\x00")), from, fault
}

// readChunks puts a blob together.
func (m *mount) readChunks(q query, index *item) (Value, string) {
	blob := make([]byte, 0, index.blobLen())
	for n := range index.chunkCount() {
		q.kind, q.chunk = typeBlobData, index.firstChunk()+byte(n)
		from, it, ok := m.find(q)
		if !ok || len(blob)+it.length() > cap(blob) {
			return nil, "a chunk of the blob is missing"
		}
		data, fault := from.page.readData(from.at, &it)
		if fault != "" {
			return nil, fault
		}
		blob = append(blob, data...)
	}
	return Bytes(blob), ""
}

// readData returns the bytes behind the head at an entry.
func (p *flashPage) readData(at int, head *item) ([]byte, string) {
	data := make([]byte, 0, head.span()*EntrySize)
	for i := at + 1; i < at+head.span(); i++ {
		it := p.read(i)
		data = append(data, it[:]...)
	}
	data = data[:head.length()]
	if checksum(data) != head.dataCRC() {
		return nil, "the checksum of the value is wrong; the firmware erases it when it is read"
	}
	return data, ""
}

// tidyRows drops what Generate does by itself or refuses: the declaration of a
// namespace that is there already or whose key comes next, and all but the last
// entry of a key.
func tidyRows(rows []Entry) []Entry {
	last := map[[2]string]int{}
	for i, e := range rows {
		if e.Value != nil {
			last[[2]string{e.Namespace, e.Key}] = i
		}
	}
	var tidy []Entry
	seen := map[string]bool{}
	for i, e := range rows {
		if e.Value == nil {
			next := i + 1
			implied := e.Namespace != "" && next < len(rows) && rows[next].Value != nil && rows[next].Namespace == e.Namespace
			if implied || seen[e.Namespace] {
				continue
			}
		} else if last[[2]string{e.Namespace, e.Key}] != i {
			continue
		} else if e.Namespace == "" && !seen[""] {
			tidy = append(tidy, Namespace("")) // its own entry is behind, or lost
		}
		seen[e.Namespace] = true
		tidy = append(tidy, e)
	}
	return tidy
}
