package nvsgen

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
)

// PageWrite is one page to be written to flash.
type PageWrite struct {
	Page int    // from 0
	Data []byte // PageSize bytes; all 0xFF for a page that is only erased
}

// Writes returns the pages to write to the flash that was parsed, in this order,
// so that it holds what [Partition.Set] and [Partition.Remove] have made of it. It
// changes as few pages as it can, which takes less time than writing
// [Partition.Image] and moves nothing that stays.
//
// When each page is verified before the next one is written, and safe is true, a
// power cut at any moment leaves every key but those that are being changed in the
// flash: a page that changes is first written to a blank one. [Reopen] reads what a
// cut has left, as long as no firmware was started on it: that takes a page and its
// copy for two pages, and may erase one, or refuse the partition for want of a blank
// page, upon which much firmware erases all of it. Whoever cannot keep the firmware
// from starting keeps a copy of the partition until the last page is verified; see
// [Partition.Onto]. Where the partition has no room for that order, it is packed
// anew, and safe is false: then only such a copy helps.
// [ErrFull] and [ErrNoFreePage] are returned where the firmware would not open it
// after that.
func (p *Partition) Writes() (writes []PageWrite, safe bool, err error) {
	if p.Refused == nil && !p.unreadable {
		if writes, err := p.change(); err == nil {
			return writes, true, nil
		}
	}
	image, err := p.Image()
	if err != nil {
		return nil, false, err
	}
	if packed, err := parse(image, p.keys); err != nil || packed.Refused != nil {
		return nil, false, cmp.Or(err, packed.Refused)
	}
	for i, page := range pagesOf(image) {
		if !bytes.Equal(page, pageAt(p.flash, i)) {
			writes = append(writes, PageWrite{i, page})
		}
	}
	return writes, false, nil
}

// change makes the changes page by page.
func (p *Partition) change() ([]PageWrite, error) {
	s, err := p.surgeon()
	if err != nil {
		return nil, err
	}
	for _, e := range p.edits {
		if err := s.edit(e); err != nil {
			return nil, err
		}
	}
	s.close()
	writes, err := s.plan(p.flash)
	if err != nil {
		return nil, err
	}
	return writes, p.check(writes)
}

// check reads what the writes will make of the flash, as the firmware will.
func (p *Partition) check(writes []PageWrite) error {
	image := bytes.Clone(p.flash)
	for _, w := range writes {
		copy(pageAt(image, w.Page), w.Data)
	}
	after, err := parse(image, p.keys)
	switch {
	case err != nil:
		return err
	case after.Refused != nil:
		return after.Refused
	case !after.Untouched || len(Diff(p, after)) > 0:
		return errors.New("the partition cannot be changed page by page")
	}
	return nil
}

// plan orders the writes so that no page is overwritten before what it holds is
// somewhere else.
func (s *surgeon) plan(flash []byte) ([]PageWrite, error) {
	var writes []PageWrite
	now := bytes.Clone(flash)
	taken := make([]bool, len(flash)/PageSize) // by what is still needed there
	var changed []*flashPage
	for _, p := range s.list {
		if p.origin != noPage {
			taken[p.origin] = true
		}
		if p.origin != p.number || !bytes.Equal(p.raw, pageAt(flash, p.number)) {
			changed = append(changed, p)
		}
	}
	// A namespace gets its name before its keys, which could not be found without.
	slices.SortStableFunc(changed, func(a, b *flashPage) int {
		switch {
		case s.naming[a] == s.naming[b]:
			return 0
		case s.naming[a]:
			return -1
		default:
			return 1
		}
	})
	write := func(page int, data []byte) {
		writes = append(writes, PageWrite{page, data})
		copy(pageAt(now, page), data)
	}
	for _, p := range changed {
		to := freePage(taken, now)
		if to == noPage {
			return nil, ErrNoFreePage
		}
		write(to, p.at(to))
		taken[to] = true
		if p.origin != noPage {
			taken[p.origin] = false
		}
	}
	for i, page := range pagesOf(now) {
		if !taken[i] && !bytes.Equal(page, blankPage) {
			write(i, blankPage)
		}
	}
	return writes, nil
}

// freePage chooses a page that is not taken: one that has to be erased anyway,
// or a blank one.
func freePage(taken []bool, flash []byte) int {
	found := noPage
	for i, t := range taken {
		blank := bytes.Equal(pageAt(flash, i), blankPage)
		if !t && (found == noPage || !blank) {
			found = i
			if !blank {
				break
			}
		}
	}
	return found
}

// at returns the page as it has to be at another place: the place is part of the
// encryption.
func (p *flashPage) at(number int) []byte {
	moved := *p
	moved.number, moved.raw, moved.changes = number, bytes.Clone(p.raw), new(int)
	if p.cipher == nil {
		return moved.raw
	}
	for i := range EntriesPerPage {
		if entryState(p.raw, i) == entryWritten {
			moved.write(i, p.read(i))
		}
	}
	return moved.raw
}

func pageAt(image []byte, n int) []byte { return image[n*PageSize:][:PageSize:PageSize] }

func pagesOf(image []byte) [][]byte { return slices.Collect(slices.Chunk(image, PageSize)) }
