package nvsgen

import (
	"bytes"
	"slices"
)

// Reopen reads a partition as [Parse] does, or with keys as [ParseEncrypted], and
// also one on which the writes of [Partition.Writes] were cut off. Such a one has
// a page twice, of which at least one copy is whole: what either of them holds is
// there. The firmware would take the two for pages of their own.
func Reopen(image []byte, keys *Keys) (*Partition, error) {
	base, other, ok := twins(image)
	if !ok {
		return parse(image, keys)
	}
	p, err := Reopen(base, keys)
	q, qerr := Reopen(other, keys)
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

// twins finds two pages with one number, and returns the image without the one
// and without the other.
func twins(image []byte) (one, other []byte, ok bool) {
	if checkSize(image) != nil {
		return nil, nil, false
	}
	var live []PageInfo
	for _, p := range describePages(image) {
		if p.State != Active && p.State != Full {
			continue
		}
		i := slices.IndexFunc(live, func(o PageInfo) bool { return o.Seq == p.Seq })
		if i >= 0 {
			return without(image, p.Page), without(image, live[i].Page), true
		}
		live = append(live, p)
	}
	return nil, nil, false
}

func without(image []byte, page int) []byte {
	image = bytes.Clone(image)
	copy(image[page*PageSize:], blankPage)
	return image
}
