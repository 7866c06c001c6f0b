package nvsgen

import (
	"bytes"
	"fmt"
	"slices"
)

// Partition is what the firmware sees in an image.
type Partition struct {
	// Entries are the keys that the firmware can read, in the order of the
	// pages. A key that older firmware wrote with two types appears twice.
	Entries []Entry
	// Namespaces are all names, also those without a key.
	Namespaces []NamespaceInfo
	// Pages describes the image page by page, as it is.
	Pages []PageInfo
	// Problems are what is damaged or unfinished, and where.
	Problems []Problem
	Stats    Stats
	// Refused says why the firmware would refuse to open the partition for
	// writing: it wraps [ErrNoFreePage], [ErrNewVersion] or [ErrDamaged]. It
	// is nil if the firmware opens it.
	Refused error
	// Untouched reports that the firmware opens the partition without writing
	// to it.
	Untouched bool

	size       int
	version    byte
	keys       *Keys
	rows       []Entry
	edits      []Entry // what was set, or without a value removed, in this order
	unreadable bool    // nothing in it makes sense without keys
	flash      []byte  // the image as it was given
	base       []byte  // and as it was read: see Reopen
}

// NamespaceInfo is a namespace.
type NamespaceInfo struct {
	Name  string `json:"name"`
	Index int    `json:"index"` // the byte that stands for it in its entries
	Used  int    `json:"used_entries"`
}

// Problem is something that the firmware stumbles over.
type Problem struct {
	Page  int    `json:"page"`  // from 0; -1 for the whole partition
	Entry int    `json:"entry"` // from 0; -1 for the whole page
	Text  string `json:"text"`
}

// String says where the problem is and what.
func (p Problem) String() string {
	switch {
	case p.Page < 0:
		return p.Text
	case p.Entry < 0:
		return fmt.Sprintf("page %d: %s", p.Page, p.Text)
	default:
		return fmt.Sprintf("page %d, entry %d: %s", p.Page, p.Entry, p.Text)
	}
}

// Stats counts entries of 32 bytes, as nvs_get_stats does.
type Stats struct {
	Used       int `json:"used_entries"`
	Free       int `json:"free_entries"`      // blank ones and erased ones
	Available  int `json:"available_entries"` // Free without the page in reserve
	Total      int `json:"total_entries"`
	Namespaces int `json:"namespaces"`
}

// Parse reads the image of a partition as the firmware would when it opens it:
// interrupted writes are finished or undone, damaged entries are left out. The
// image itself is not changed. The error is for images that cannot be a
// partition at all; what the firmware refuses is in Refused.
func Parse(image []byte) (*Partition, error) { return parse(image, nil) }

// ParseEncrypted reads an encrypted image. [ErrWrongKeys] is returned if the
// keys do not open a single entry: the firmware would erase everything.
func ParseEncrypted(image []byte, keys *Keys) (*Partition, error) { return parse(image, keys) }

func parse(image []byte, keys *Keys) (*Partition, error) {
	if err := checkSize(image); err != nil {
		return nil, err
	}
	p := &Partition{Pages: describePages(image), size: len(image), keys: keys, version: pageVersion(image), flash: bytes.Clone(image)}
	p.base = p.flash
	c, err := p.open(image)
	if err != nil {
		return nil, err
	}
	m, err := newMount(image, c)
	m.readEntries(p)
	p.Refused = err
	p.Namespaces = m.countNamespaces()
	p.Stats = m.stats()
	p.Problems = append(p.Problems, m.problems...)
	p.Untouched = err == nil && m.changes == 0
	if err != nil {
		p.Problems = append(p.Problems, Problem{Page: -1, Entry: -1, Text: err.Error()})
	}
	return p, nil
}

// open checks the keys, or that none are needed.
func (p *Partition) open(image []byte) (*cipher, error) {
	if p.keys != nil {
		c := p.keys.cipher()
		return c, checkKeys(image, c)
	}
	if checkKeys(image, nil) != nil {
		p.unreadable = true
		p.Problems = append(p.Problems, Problem{Page: -1, Entry: -1, Text: "no entry can be read; if the partition is encrypted, open it with its keys"})
	}
	return nil, nil
}

// pageVersion is the version that firmware of every age can read the image
// in: 1 only if all its pages are.
func pageVersion(image []byte) byte {
	version := byte(version2)
	for _, p := range describePages(image) {
		switch {
		case p.State == Blank || p.State == Corrupt:
		case p.Version != 1:
			return version2
		default:
			version = version1
		}
	}
	return version
}

// Lookup returns the value of a key. Should older firmware have left the key
// with two types, it is the one in the later page.
func (p *Partition) Lookup(ns, key string) (Value, bool) {
	for _, e := range slices.Backward(p.Entries) {
		if e.Namespace == ns && e.Key == key {
			return e.Value, true
		}
	}
	return nil, false
}

// Flash returns a copy of the image that was parsed.
func (p *Partition) Flash() []byte { return bytes.Clone(p.flash) }

// Rows returns what [Generate] makes the same partition of: the entries, and
// the namespaces that have none.
func (p *Partition) Rows() []Entry { return slices.Clone(p.rows) }
