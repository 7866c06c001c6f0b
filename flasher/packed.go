package flasher

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"iter"
	"slices"
	"sync"

	"hoptech.co.nz/flashd/flasher/deflate"
)

// A Packed is a contiguous piece of flash content made ready for the wire
// once, for all units: padded, compressed, cut into frames, digested. It may
// be used by many Devices at the same time.
type Packed struct {
	Name   string   // for messages: "app0"
	Offset uint32   // in flash, in bytes; a multiple of SectorSize
	Size   int      // in bytes, as the flash will hold it; a multiple of 4
	MD5    [16]byte // of those bytes

	data     []byte
	deflated func() *stream // waits for the compressed data; nil where compression does not pay

	mu     sync.Mutex
	frames map[framing][]block
}

// framing is how a loader takes data: so many bytes a frame, compressed or not.
type framing struct {
	size     int
	deflated bool
}

// A block is one data frame and what it makes the loader do.
type block struct {
	frame    []byte
	inflated int // flash bytes that this block brings, about
}

// Pack makes data ready to be written at offset.
func Pack(name string, offset uint32, data []byte) (*Packed, error) {
	return Repack(name, offset, data, nil)
}

// Repack is Pack for data of which what [Packed.Deflated] returned was kept,
// which saves compressing it again. What does not inflate to data is not used.
func Repack(name string, offset uint32, data, deflated []byte) (*Packed, error) {
	switch {
	case len(data) == 0:
		return nil, &Error{Op: "pack " + name, Kind: BadImage, Err: fmt.Errorf("there is nothing in it")}
	case offset%SectorSize != 0:
		return nil, &Error{Op: "pack " + name, Kind: BadImage, Err: fmt.Errorf("offset %#x is not a multiple of %#x, so that writing there would erase what lies before", offset, SectorSize)}
	}
	data = slices.Clone(data)
	for len(data)%4 != 0 { // flash is written in words
		data = append(data, 0xFF)
	}
	p := &Packed{
		Name: name, Offset: offset, Size: len(data), MD5: md5.Sum(data),
		data: data, frames: map[framing][]block{},
	}
	p.deflated = sync.OnceValue(func() *stream { return deflatedOf(data, deflated) })
	go p.deflated() // while the first unit is being connected to
	return p, nil
}

// deflatedOf returns what was kept if it is data, or else compresses that.
func deflatedOf(data, kept []byte) *stream {
	if len(kept) > 0 && len(kept) < len(data) {
		if s, err := newStream(kept, data); err == nil {
			return s
		}
	}
	deflated, err := deflate.Compress(data)
	if err != nil || len(deflated) >= len(data) {
		return nil
	}
	s, err := newStream(deflated, data)
	if err != nil {
		return nil
	}
	return s
}

// Deflated returns what goes over the line for p, a zlib stream; nil where
// compression does not pay. It must not be changed.
func (p *Packed) Deflated() []byte {
	if s := p.deflated(); s != nil {
		return s.data
	}
	return nil
}

// WireSize is how many payload bytes go over the line for p.
func (p *Packed) WireSize() int {
	if p.compressed() {
		return len(p.Deflated())
	}
	return p.Size
}

// compressed reports whether p goes over the line compressed.
func (p *Packed) compressed() bool { return p.deflated() != nil }

// blocks returns the data frames of p for loaders that take them so. They are
// made once.
func (p *Packed) blocks(f framing) []block {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.frames[f]; !ok {
		if f.deflated {
			p.frames[f] = p.deflated().cut(f.size)
		} else {
			p.frames[f] = p.cutPlain(f.size)
		}
	}
	return p.frames[f]
}

// cutPlain cuts uncompressed data; the last block is filled up for ROMs, which
// want whole ones.
func (p *Packed) cutPlain(size int) []block {
	var out []block
	for seq, part := range enumerate(p.data, size) {
		inflated := len(part)
		if size != stubBlock {
			part = append(slices.Clip(part), bytes.Repeat([]byte{0xFF}, size-len(part))...)
		}
		out = append(out, block{dataFrame(FlashData, seq, part), inflated})
	}
	return out
}

// enumerate yields the parts of data, size bytes each, with their numbers.
func enumerate(data []byte, size int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		seq := 0
		for part := range slices.Chunk(data, size) {
			if !yield(seq, part) {
				return
			}
			seq++
		}
	}
}
