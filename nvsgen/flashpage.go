package nvsgen

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// stateCorrupt is the state, in memory only, of a page whose header is damaged.
const stateCorrupt = 0

// noEntry is the number of an entry that does not exist, behind all others.
const noEntry = 1 << 16

// noPage is the number of a page that does not exist.
const noPage = -1

// flashPage is a page as the firmware holds it after loading. Its methods
// repair the page on the way as the firmware does, so that what remains is
// what the firmware sees.
type flashPage struct {
	number  int
	origin  int     // the page of the flash that its entries come from, or noPage
	raw     []byte  // the page in our copy of the flash
	cipher  *cipher // nil: entries are plain
	report  func(entry int, format string, args ...any)
	changes *int // counts what the firmware would write

	state   uint32
	seq     uint32
	version byte

	firstUsed int // first written entry, or noEntry
	next      int // first free entry of an active page, or noEntry
	used      int // written entries
	index     []indexed
}

// indexed is a head in the index of a page.
type indexed struct {
	hash  uint32
	entry int
}

func (p *flashPage) live() bool {
	return p.state == stateActive || p.state == stateFull || p.state == stateFreeing
}

// load reads the header and the entry states.
func (p *flashPage) load() error {
	p.firstUsed, p.next, p.version = noEntry, noEntry, version2
	state := binary.LittleEndian.Uint32(p.raw)
	if state == stateBlank {
		p.state = stateBlank
		if !bytes.Equal(p.raw, blankPage) {
			p.state = stateCorrupt
			p.report(-1, "the page has no header but is not blank; the firmware erases it when it needs one")
		}
		return nil
	}
	if binary.LittleEndian.Uint32(p.raw[28:]) != headerChecksum(p.raw) {
		p.report(-1, "the checksum of the page header is wrong; everything in the page is lost")
		return nil
	}
	if p.raw[8] < version2 {
		return fmt.Errorf("%w: page %d has version byte %#02x, newer than %#02x", ErrNewVersion, p.number, p.raw[8], version2)
	}
	p.seq, p.version, p.state = binary.LittleEndian.Uint32(p.raw[4:]), p.raw[8], state
	switch state {
	case stateActive:
		p.count()
		p.loadActive()
	case stateFull, stateFreeing:
		p.count()
		p.loadClosed()
	default:
		p.state = stateCorrupt
		p.report(-1, "the page state %#08x is unknown; everything in the page is lost", state)
	}
	return nil
}

// count finds the first written entry and the number of them.
func (p *flashPage) count() {
	for i := range EntriesPerPage {
		if entryState(p.raw, i) == entryWritten {
			p.firstUsed = min(p.firstUsed, i)
			p.used++
		}
	}
}

// loadActive finds the end of an active page, and drops what a power cut left
// half done in it.
func (p *flashPage) loadActive() {
	for i := range EntriesPerPage {
		if entryState(p.raw, i) == entryEmpty {
			p.next = i
			break
		}
	}
	p.skipTorn()
	last, it := noEntry, item{}
	for i, span := 0, 0; i < min(p.next, EntriesPerPage); i += span {
		span = 1
		switch entryState(p.raw, i) {
		case entryErased:
			last = noEntry
			continue
		case entryIllegal:
			last = noEntry
			p.drop(i, "the state of the entry is impossible")
			continue
		}
		last, it = i, p.read(i)
		if fault := it.fault(i); fault != "" {
			p.drop(i, fault)
			continue
		}
		p.index = append(p.index, indexed{it.hash(), i})
		duplicate := p.lookup(0, it.hash())
		if it.kind().variable() {
			span = it.span()
			if !p.written(i, span) {
				last = noEntry
				p.drop(i, "the value was not written to its end")
				continue
			}
		}
		if duplicate < i {
			p.drop(duplicate, "the key was written again behind it")
		}
	}
	if last != noEntry {
		var found item
		if at, ok := p.find(query{ns: it.namespace(), kind: it.kind(), key: ptr(it.key()), chunk: anyChunk, first: anyChunk}, 0, &found); ok && at < last {
			p.drop(at, "the key was written again behind it")
		}
	}
}

// skipTorn marks entries erased that were written without being marked so: the
// power went between the two.
func (p *flashPage) skipTorn() {
	for ; p.next < EntriesPerPage; p.next++ {
		if binary.LittleEndian.Uint32(entryAt(p.raw, p.next)) == 0xFFFFFFFF {
			return
		}
		p.report(p.next, "the entry was being written when the power went")
		if entryState(p.raw, p.next) == entryWritten {
			p.used--
		}
		p.wipe(p.next)
	}
}

// loadClosed indexes a full page, or one that is being freed.
func (p *flashPage) loadClosed() {
	for i := p.firstUsed; i < EntriesPerPage; i++ {
		if entryState(p.raw, i) != entryWritten {
			continue
		}
		it := p.read(i)
		if fault := it.fault(i); fault != "" {
			p.drop(i, fault)
			continue
		}
		p.index = append(p.index, indexed{it.hash(), i})
		if it.kind().variable() && !p.written(i, it.span()) {
			p.drop(i, "the value was not written to its end")
		}
		i += it.span() - 1
	}
}

func (p *flashPage) written(i, span int) bool {
	for j := i; j < i+span; j++ {
		if entryState(p.raw, j) != entryWritten {
			return false
		}
	}
	return true
}

// read returns entry i in the clear.
func (p *flashPage) read(i int) (it item) {
	copy(it[:], entryAt(p.raw, i))
	if p.cipher != nil {
		p.cipher.decrypt(it[:], p.address(i))
	}
	return it
}

func (p *flashPage) write(i int, it item) {
	if p.cipher != nil {
		p.cipher.encrypt(it[:], p.address(i))
	}
	copy(entryAt(p.raw, i), it[:])
	setEntryState(p.raw, i, entryWritten)
	*p.changes++
}

// address is the offset of entry i in the partition.
func (p *flashPage) address(i int) int { return p.number*PageSize + entryOffset + i*EntrySize }

// wipe marks an entry erased and clears its bytes, as firmware after ESP-IDF 5.5 does lest old
// secrets stay readable.
func (p *flashPage) wipe(i int) {
	setEntryState(p.raw, i, entryErased)
	clear(entryAt(p.raw, i))
	*p.changes++
}

// drop erases the head at i with its data, and reports why.
func (p *flashPage) drop(i int, why string) {
	p.report(i, "%s", why)
	p.erase(i)
}

// erase erases the head at i with its data.
func (p *flashPage) erase(i int) {
	span := 1
	if entryState(p.raw, i) == entryWritten {
		if it := p.read(i); it.fault(i) == "" {
			span = it.span()
		}
		p.index = slices.DeleteFunc(p.index, func(x indexed) bool { return x.entry == i })
		for j := i; j < i+span; j++ {
			if entryState(p.raw, j) == entryWritten {
				p.used--
			}
		}
	}
	for j := i; j < i+span; j++ {
		p.wipe(j)
	}
	if i == p.firstUsed {
		p.firstUsed = noEntry
		for j := i + span; j < min(p.next, EntriesPerPage); j++ {
			if entryState(p.raw, j) == entryWritten {
				p.firstUsed = j
				break
			}
		}
	}
	p.next = max(p.next, i+span)
}

// format turns the page into a blank one.
func (p *flashPage) format() {
	copy(p.raw, blankPage)
	p.state, p.firstUsed, p.next, p.used, p.index = stateBlank, noEntry, noEntry, 0, nil
	p.origin = noPage
	*p.changes++
}

// start makes a blank page the active one.
func (p *flashPage) start() {
	putPageHeader(p.raw, p.seq, p.version)
	p.state, p.next = stateActive, 0
	*p.changes++
}
