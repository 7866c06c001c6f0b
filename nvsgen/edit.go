package nvsgen

import (
	"errors"
	"fmt"
	"slices"
)

// Set gives a key a value, of the type it has or of another. A new key goes
// behind the others.
func (p *Partition) Set(e Entry) error {
	if e.Value == nil {
		return fmt.Errorf("%w: %v has no value to set", ErrBadValue, e)
	}
	if err := e.check(p.version); err != nil {
		return &EntryError{Namespace: e.Namespace, Key: e.Key, Err: err}
	}
	p.Entries = put(p.Entries, e)
	p.rows = put(p.rows, e)
	p.edits = append(p.edits, e)
	return nil
}

// put replaces the entry of e's key where it stands first, or appends e.
func put(entries []Entry, e Entry) []Entry {
	at := slices.IndexFunc(entries, e.sameKey)
	if at < 0 {
		return append(entries, e)
	}
	rest := slices.DeleteFunc(slices.Clone(entries[at+1:]), e.sameKey)
	return slices.Concat(entries[:at], []Entry{e}, rest)
}

// Remove takes a key away, and reports whether it was there. Its namespace
// stays.
func (p *Partition) Remove(ns, key string) bool {
	gone := Entry{Namespace: ns, Key: key}
	before := len(p.Entries)
	p.Entries = slices.DeleteFunc(p.Entries, gone.sameKey)
	if len(p.Entries) == before {
		return false
	}
	at := slices.IndexFunc(p.rows, gone.sameKey)
	p.rows[at] = Namespace(ns)
	p.rows = tidyRows(p.rows)
	p.edits = append(p.edits, gone)
	return true
}

func (e Entry) sameKey(o Entry) bool {
	return o.Value != nil && o.Namespace == e.Namespace && o.Key == e.Key
}

// Image returns a clean partition of the size of the one that was parsed, with
// the entries as they are now: in its version, and encrypted with its keys.
// The firmware opens it without writing to it.
//
// It refuses when the partition could not be read, so that nothing that is
// still in it gets lost.
func (p *Partition) Image() ([]byte, error) {
	if p.unreadable {
		return nil, fmt.Errorf("%w: no entry of the partition could be read; open it with its keys", ErrWrongKeys)
	}
	hadFreePage := !errors.Is(p.Refused, ErrNoFreePage)
	if p.Refused != nil && hadFreePage {
		return nil, p.Refused
	}
	opts := &Options{Version: p.formatVersion(), Keys: p.keys}
	image, err := Generate(p.rows, p.size, opts)
	if errors.Is(err, ErrFull) {
		opts.tight = true
		opts.ReadOnly = !hadFreePage // then the partition is read-only, it seems
		image, err = Generate(p.rows, p.size, opts)
	}
	if err != nil {
		return nil, err
	}
	return appendBlank(image, p.size-len(image)), nil
}

func (p *Partition) formatVersion() int {
	if p.version == version1 {
		return 1
	}
	return 2
}
