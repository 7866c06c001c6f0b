package nvsgen

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// surgeon changes keys in the pages where they are, in our copy of the flash.
type surgeon struct {
	*mount
	before  []byte              // the copy before any change
	version byte                // of new pages
	naming  map[*flashPage]bool // pages in which namespaces got their names
}

func (p *Partition) surgeon() (*surgeon, error) {
	var c *cipher
	if p.keys != nil {
		c = p.keys.cipher()
	}
	m, err := newMount(p.base, c)
	return &surgeon{m, p.base, p.version, map[*flashPage]bool{}}, err
}

// edit gives a key its value, or takes it away if there is none.
func (s *surgeon) edit(e Entry) error {
	if e.Value == nil {
		if ns, ok := s.lookupName(e.Namespace); ok {
			s.erase(s.heads(ns, e.Key))
		}
		return nil
	}
	ns, err := s.namespace(e.Namespace)
	if err != nil {
		return err
	}
	heads := s.heads(ns, e.Key)
	if s.overwrite(heads, e.Value) {
		return nil
	}
	s.erase(heads)
	if b, ok := e.Value.(Bytes); ok && s.version != version1 {
		return s.appendBlob(ns, e.Key, b)
	}
	return s.append(itemsOf(ns, e.Key, e.Value.Type(), anyChunk, e.Value.appendTo(nil)))
}

func (s *surgeon) lookupName(name string) (byte, bool) {
	i := slices.IndexFunc(s.namespaces, func(n NamespaceInfo) bool { return n.Name == name })
	if i < 0 {
		return 0, false
	}
	return byte(s.namespaces[i].Index), true
}

// namespace returns the index of a namespace, and names it where it is new.
func (s *surgeon) namespace(name string) (byte, error) {
	if ns, ok := s.lookupName(name); ok {
		return ns, nil
	}
	used := map[int]bool{}
	for _, n := range s.namespaces {
		used[n.Index] = true
	}
	for _, p := range s.list {
		for _, it := range p.each(everything) {
			used[int(it.namespace())] = true // also by keys that have lost their name
		}
	}
	for i := 1; i <= MaxNamespaces; i++ {
		if used[i] {
			continue
		}
		p, err := s.room(1)
		if err != nil {
			return 0, err
		}
		p.put(itemsOf(namespaceIndex, name, TypeU8, anyChunk, []byte{byte(i)}))
		s.naming[p] = true
		s.namespaces = append(s.namespaces, NamespaceInfo{Name: name, Index: i})
		return byte(i), nil
	}
	return 0, ErrTooManyNamespaces
}

// heads returns the heads of a key, whatever its type, a blob's chunks included.
func (s *surgeon) heads(ns byte, key string) (heads []place) {
	for _, p := range s.list {
		for at, it := range p.each(everything) {
			if it.namespace() == ns && it.key() == key {
				heads = append(heads, place{p, at})
			}
		}
	}
	return heads
}

func (s *surgeon) erase(heads []place) {
	for _, h := range heads {
		h.page.erase(h.at)
	}
}

// overwrite puts a value into the place of the old one, if it is of the same type
// and takes the same entries.
func (s *surgeon) overwrite(heads []place, v Value) bool {
	data := v.appendTo(nil)
	var pieces []place // one, or the chunks of a blob in their order
	size := 0
	for _, h := range heads {
		it := h.page.read(h.at)
		switch {
		case it.kind() == typeBlobIndex && v.Type() == TypeBlob && int(it.blobLen()) == len(data):
			continue // it stays
		case it.kind() == typeBlobData && v.Type() == TypeBlob:
			size += it.length()
		case it.kind() == v.Type() && len(heads) == 1 && it.span() == len(itemsOf(0, "", v.Type(), 0, data)):
			size = len(data)
		default:
			return false
		}
		pieces = append(pieces, h)
	}
	if len(pieces) == 0 || size != len(data) {
		return false
	}
	slices.SortFunc(pieces, func(a, b place) int { return cmp.Compare(a.chunk(), b.chunk()) })
	for _, h := range pieces {
		it := h.page.read(h.at)
		n := len(data)
		if it.kind() == typeBlobData {
			n = it.length()
		}
		for i, fresh := range itemsOf(it.namespace(), it.key(), it.kind(), it.chunk(), data[:n]) {
			h.page.write(h.at+i, fresh)
		}
		data = data[n:]
	}
	return true
}

func (h place) chunk() byte { it := h.page.read(h.at); return it.chunk() }

// appendBlob writes a blob in one chunk if a page has room for it, else in as few
// as possible.
func (s *surgeon) appendBlob(ns byte, key string, data []byte) error {
	chunks := byte(0)
	for rest := data; len(rest) > 0 || chunks == 0; chunks++ {
		n := len(rest)
		p, err := s.room(spanOf(n))
		if err != nil {
			if p, err = s.room(2); err != nil {
				return err
			}
			n = min(n, (EntriesPerPage-p.end()-1)*EntrySize)
		}
		p.put(itemsOf(ns, key, typeBlobData, chunks, rest[:n]))
		rest = rest[n:]
	}
	index := binary.LittleEndian.AppendUint32(nil, uint32(len(data)))
	return s.append(itemsOf(ns, key, typeBlobIndex, anyChunk, append(index, chunks, 0, 0xFF, 0xFF)))
}

func (s *surgeon) append(items []item) error {
	p, err := s.room(len(items))
	if err == nil {
		p.put(items)
	}
	return err
}

// room returns a page that takes so many entries more: one that has to be written
// anyway, the active one, a new one, or one that has them when it is packed.
func (s *surgeon) room(span int) (*flashPage, error) {
	if span > EntriesPerPage {
		return nil, ErrFull
	}
	for _, p := range s.list {
		if p.used+span <= EntriesPerPage && !bytes.Equal(p.raw, pageAt(s.before, p.number)) {
			return p.fit(span), nil
		}
	}
	last := s.list[len(s.list)-1]
	if last.state == stateActive && last.end()+span <= EntriesPerPage {
		return last, nil
	}
	if len(s.free) > 1 {
		last.finish()
		if err := s.activate(); err != nil {
			return nil, err
		}
		p := s.list[len(s.list)-1]
		p.version = s.version
		p.start()
		return p, nil
	}
	least := slices.MinFunc(s.list, func(a, b *flashPage) int { return cmp.Compare(a.used, b.used) })
	if least.used+span > EntriesPerPage {
		return nil, fmt.Errorf("%w: no page has %d entries left", ErrFull, span)
	}
	return least.fit(span), nil
}

// close leaves the pages as the firmware can open them without a change.
func (s *surgeon) close() {
	for _, p := range s.list {
		if p.state == stateActive && p.ambiguous() {
			p.finish()
		}
	}
	for _, p := range s.free {
		if !bytes.Equal(p.raw, blankPage) {
			p.format()
		}
	}
}

// ambiguous reports whether two keys of the page have one search hash: in an active
// page, the firmware takes them for one key.
func (p *flashPage) ambiguous() bool {
	seen := map[uint32]bool{}
	for _, x := range p.index {
		if seen[x.hash] {
			return true
		}
		seen[x.hash] = true
	}
	return false
}

// finish declares the page full.
func (p *flashPage) finish() {
	p.state, p.next = stateFull, noEntry
	setPageState(p.raw, stateFull)
	*p.changes++
}

// end is the number of the first entry behind which the page is empty.
func (p *flashPage) end() int {
	end := EntriesPerPage
	for end > 0 && entryState(p.raw, end-1) == entryEmpty {
		end--
	}
	return end
}

// put writes a head and its data behind all entries.
func (p *flashPage) put(items []item) {
	at := p.end()
	for i, it := range items {
		p.write(at+i, it)
	}
	p.firstUsed = min(p.firstUsed, at)
	p.used += len(items)
	p.index = append(p.index, indexed{items[0].hash(), at})
	if p.state == stateActive {
		p.next = at + len(items)
	}
}

// fit makes sure that so many entries are empty at the end of the page, and packs
// it if they are not.
func (p *flashPage) fit(span int) *flashPage {
	if p.end()+span <= EntriesPerPage {
		return p
	}
	var all [][]item
	for at, head := range p.each(everything) {
		items := []item{head}
		for i := 1; i < head.span(); i++ {
			items = append(items, p.read(at+i))
		}
		all = append(all, items)
	}
	copy(p.raw[bitmapOffset:], blankPage[bitmapOffset:])
	p.firstUsed, p.used, p.index = noEntry, 0, nil
	if p.state == stateActive {
		p.next = 0
	}
	for _, items := range all {
		p.put(items)
	}
	return p
}

// itemsOf returns the entries of a value: its head and its data.
func itemsOf(ns byte, key string, t Type, chunk byte, data []byte) []item {
	items := make([]item, 1, spanOf(len(data)))
	head := &items[0]
	copy(head[:], blankPage)
	copy(head[8:24], keyField(key))
	head[0], head[1], head[3] = ns, byte(t), chunk
	if t.variable() {
		putLength(head[:], data)
		for chunk := range slices.Chunk(data, EntrySize) {
			var it item
			copy(it[:], blankPage)
			copy(it[:], chunk)
			items = append(items, it)
		}
	} else {
		copy(head[24:], data)
	}
	head[2] = byte(len(items))
	binary.LittleEndian.PutUint32(head[4:], entryChecksum(head[:]))
	return items
}
