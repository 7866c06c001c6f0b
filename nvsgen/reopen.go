package nvsgen

import (
	"bytes"
	"fmt"
)

// Reopen reads a partition as [Parse] does, or with keys as [ParseEncrypted], and
// also one on which the writes of [Partition.Writes] were cut off. Such a one has
// a page twice, of which at least one copy is whole: what either of them holds is
// there. The firmware would take the two for pages of their own.
func Reopen(image []byte, keys *Keys) (*Partition, error) {
	base, other, ok := twins(image, keys)
	if !ok {
		return parse(image, keys)
	}
	p, err := parse(base, keys)
	q, qerr := parse(other, keys)
	switch {
	case err != nil && qerr != nil:
		return nil, err
	case err != nil: // nothing of that copy was written yet, or is left
		p, q = q, &Partition{}
	case qerr != nil:
		q = &Partition{}
	case len(q.Entries) > len(p.Entries):
		p, q = q, p
	}
	for _, e := range keysOf(q) {
		if _, there := p.Lookup(e.Namespace, e.Key); there {
			continue
		}
		if err := p.Set(e); err != nil {
			return nil, err
		}
	}
	p.flash = bytes.Clone(image)
	return p, nil
}

// Onto has [Partition.Writes] start from another content of the flash than what was
// read: after a cut, of which an earlier copy of the partition makes good.
func (p *Partition) Onto(flash []byte) error {
	if len(flash) != p.size {
		return fmt.Errorf("%w: %d bytes, where the partition has %d", ErrSize, len(flash), p.size)
	}
	p.flash = bytes.Clone(flash)
	return nil
}

// twins finds a page and its copy, and returns the image without the one and
// without the other. There is never more than one such pair: a page that changes
// is written over the old copy of the one that changed before it.
func twins(image []byte, keys *Keys) (one, other []byte, ok bool) {
	if checkSize(image) != nil {
		return nil, nil, false
	}
	var c *cipher
	if keys != nil {
		c = keys.cipher()
	}
	m := &mount{image: bytes.Clone(image)}
	if m.loadPages(c) != nil {
		return nil, nil, false
	}
	for i, p := range m.list {
		for _, q := range m.list[i+1:] {
			if p.seq == q.seq && p.state != stateFreeing && q.state != stateFreeing && copies(p, q) {
				return without(image, q.number), without(image, p.number), true
			}
		}
	}
	return nil, nil, false
}

// copies reports whether two pages of one number are an old and a new copy of one
// page. A partition that went through other hands may have two that are not,
// which the firmware reads like any others. Of a copy that a power cut left, there
// may be nothing to read.
func copies(a, b *flashPage) bool {
	type id struct {
		namespace, chunk byte
		key              string
	}
	seen := map[id]bool{}
	for _, it := range a.each(everything) {
		seen[id{it.namespace(), it.chunk(), it.key()}] = true
	}
	empty := true
	for _, it := range b.each(everything) {
		if empty = false; seen[id{it.namespace(), it.chunk(), it.key()}] {
			return true
		}
	}
	return empty || len(seen) == 0
}

func without(image []byte, page int) []byte {
	image = bytes.Clone(image)
	copy(image[page*PageSize:], blankPage)
	return image
}
