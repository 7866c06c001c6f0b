package nvsgen

import (
	"bytes"
	"fmt"
	"slices"
)

// mount is a partition as the firmware opens it (the branch after ESP-IDF 5.5, the strictest of
// all). It works on a copy of the flash, in which it finishes what a power cut
// interrupted and erases what is damaged.
type mount struct {
	image   []byte
	list    []*flashPage // in use, by sequence number
	free    []*flashPage
	nextSeq uint32

	namespaces []NamespaceInfo
	problems   []Problem
	changes    int // what the firmware would write to the flash
}

// newMount opens a copy of image. The error says why the firmware would refuse
// it; what could be read is there nevertheless.
func newMount(image []byte, c *cipher) (*mount, error) {
	m := &mount{image: bytes.Clone(image)}
	if err := m.loadPages(c); err != nil {
		return m, err
	}
	err := m.recover()
	if err == nil || len(m.free) == 0 {
		m.loadNamespaces()
		m.dropIncompleteBlobs()
	}
	return m, err
}

func (m *mount) loadPages(c *cipher) error {
	for n := range len(m.image) / PageSize {
		p := &flashPage{
			number: n, origin: n, raw: m.image[n*PageSize:][:PageSize], cipher: c, changes: &m.changes,
			report: func(entry int, format string, args ...any) {
				m.problems = append(m.problems, Problem{Page: n, Entry: entry, Text: fmt.Sprintf(format, args...)})
			},
		}
		if err := p.load(); err != nil {
			return err
		}
		if !p.live() {
			p.origin = noPage
			m.free = append(m.free, p)
			continue
		}
		at := slices.IndexFunc(m.list, func(o *flashPage) bool { return o.seq > p.seq })
		if at < 0 {
			at = len(m.list)
		}
		m.list = slices.Insert(m.list, at, p)
	}
	return nil
}

// recover ends what a power cut interrupted, and looks for the free page that
// the firmware insists on.
func (m *mount) recover() error {
	if len(m.list) == 0 {
		return m.activate()
	}
	m.nextSeq = m.list[len(m.list)-1].seq + 1
	m.dropOverwritten()
	if err := m.finishFreeing(); err != nil {
		return err
	}
	if len(m.free) == 0 {
		return ErrNoFreePage
	}
	return nil
}

// activate takes the first free page into use.
func (m *mount) activate() error {
	if len(m.free) == 0 {
		return ErrNoFreePage
	}
	p := m.free[0]
	if p.state == stateCorrupt {
		p.format()
	}
	p.seq = m.nextSeq
	m.nextSeq++
	m.free, m.list = m.free[1:], append(m.list, p)
	return nil
}

// dropOverwritten erases the older copy of the key that was written last, in
// case the power went before that was done.
func (m *mount) dropOverwritten() {
	const why = "the key was written again in a later page"
	last := m.list[len(m.list)-1]
	var it item
	found := false
	for from := 0; ; from += it.span() {
		at, ok := last.find(query{ns: anyNamespace, kind: typeAny, chunk: anyChunk, first: anyChunk}, from, &it)
		if !ok {
			break
		}
		from, found = at, true
	}
	if !found {
		return
	}
	q := query{ns: it.namespace(), kind: it.kind(), key: ptr(it.key()), chunk: it.chunk(), first: anyChunk}
	older := slices.Clone(m.list[:len(m.list)-1])
	older = slices.DeleteFunc(older, func(p *flashPage) bool { return p.state == stateFreeing })
	if erased := eraseFirst(older, q, why); !erased && it.kind() == typeBlobIndex {
		q.kind = TypeBlob // the blob was one of version 1 before
		eraseFirst(older, q, why)
	}
}

// eraseFirst erases the first entry of the pages that answers q.
func eraseFirst(pages []*flashPage, q query, why string) bool {
	for _, p := range pages {
		if p.eraseFound(q, why) {
			return true
		}
	}
	return false
}

// finishFreeing moves the entries of a page that was being freed once more.
func (m *mount) finishFreeing() error {
	at := slices.IndexFunc(m.list, func(p *flashPage) bool { return p.state == stateFreeing })
	if at < 0 {
		return nil
	}
	old := m.list[at]
	old.report(-1, "the power went while the page was being moved; the firmware moves it again")
	if target := m.list[len(m.list)-1]; target.state == stateActive {
		target.format()
		m.list = m.list[:len(m.list)-1]
		m.free = append(m.free, target)
	}
	if err := m.activate(); err != nil {
		return err
	}
	if err := old.moveTo(m.list[len(m.list)-1]); err != nil {
		return err
	}
	old.format()
	m.list = slices.Delete(m.list, at, at+1)
	m.free = append(m.free, old)
	return nil
}

// moveTo copies the written entries of p to a blank page.
func (p *flashPage) moveTo(target *flashPage) error {
	if p.firstUsed == noEntry {
		return nil
	}
	target.start()
	target.origin = p.origin
	for i := p.firstUsed; i < EntriesPerPage; i++ {
		if entryState(p.raw, i) != entryWritten {
			continue
		}
		head := p.read(i)
		if head.span() < 1 || i+head.span() > EntriesPerPage {
			return fmt.Errorf("%w: page %d, entry %d: the span is %d", ErrDamaged, p.number, i, head.span())
		}
		target.firstUsed = min(target.firstUsed, target.next)
		target.index = append(target.index, indexed{head.hash(), target.next})
		for j := range head.span() {
			target.write(target.next, p.read(i+j))
			target.next++
			target.used++
		}
		i += head.span() - 1
	}
	return nil
}

// loadNamespaces lists the entries that name namespaces.
func (m *mount) loadNamespaces() {
	for _, p := range m.list {
		for _, it := range p.each(query{ns: namespaceIndex, kind: TypeU8, chunk: anyChunk, first: anyChunk}) {
			m.namespaces = append(m.namespaces, NamespaceInfo{Name: it.key(), Index: int(it[24])})
		}
	}
}

// place is where an entry is.
type place struct {
	page *flashPage
	at   int
}

// find searches all pages.
func (m *mount) find(q query) (place, item, bool) {
	var it item
	for _, p := range m.list {
		if at, ok := p.find(q, 0, &it); ok {
			return place{p, at}, it, true
		}
	}
	return place{}, it, false
}
