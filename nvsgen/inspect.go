package nvsgen

import (
	"bytes"
	"encoding/binary"
)

// PageState is the state of a page, in the firmware's word.
type PageState string

// The states. A page is corrupt if its header is damaged or unknown.
const (
	Blank   PageState = "blank"
	Active  PageState = "active"
	Full    PageState = "full"
	Freeing PageState = "freeing"
	Corrupt PageState = "corrupt"
)

// PageInfo describes a page as it stands in the image.
type PageInfo struct {
	Page    int       `json:"page"` // from 0
	State   PageState `json:"state"`
	Seq     uint32    `json:"seq"`     // order in which pages were begun
	Version int       `json:"version"` // of the format: 1 or 2; 0 if unknown
	Written int       `json:"written"` // entries in each state
	Erased  int       `json:"erased"`
	Empty   int       `json:"empty"`
	Illegal int       `json:"illegal"`
}

func describePages(image []byte) (pages []PageInfo) {
	for n := range len(image) / PageSize {
		pages = append(pages, describePage(n, image[n*PageSize:][:PageSize]))
	}
	return pages
}

func describePage(number int, raw []byte) PageInfo {
	if bytes.Equal(raw, blankPage) {
		return PageInfo{Page: number, State: Blank, Empty: EntriesPerPage}
	}
	info := PageInfo{Page: number, State: Corrupt, Seq: binary.LittleEndian.Uint32(raw[4:])}
	switch raw[8] {
	case version1:
		info.Version = 1
	case version2:
		info.Version = 2
	}
	if binary.LittleEndian.Uint32(raw[28:]) == headerChecksum(raw) {
		switch binary.LittleEndian.Uint32(raw) {
		case stateActive:
			info.State = Active
		case stateFull:
			info.State = Full
		case stateFreeing:
			info.State = Freeing
		}
	}
	for i := range EntriesPerPage {
		switch entryState(raw, i) {
		case entryWritten:
			info.Written++
		case entryErased:
			info.Erased++
		case entryEmpty:
			info.Empty++
		default:
			info.Illegal++
		}
	}
	return info
}

// countNamespaces fills in how many entries each namespace takes, without the
// one that names it.
func (m *mount) countNamespaces() []NamespaceInfo {
	for i := range m.namespaces {
		n := &m.namespaces[i]
		for _, p := range m.list {
			for _, it := range p.each(query{ns: byte(n.Index), kind: typeAny, chunk: anyChunk, first: anyChunk}) {
				n.Used += it.span()
			}
		}
	}
	return m.namespaces
}

func (m *mount) stats() Stats {
	total := (len(m.list) + len(m.free)) * EntriesPerPage
	s := Stats{Total: total, Free: total, Namespaces: len(m.namespaces)}
	for _, p := range m.list {
		s.Used += p.used
	}
	s.Free -= s.Used
	s.Available = max(0, s.Free-EntriesPerPage)
	return s
}
