package flasher

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the only digest that the loaders can compute
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zlib"

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
	deflated func() []byte // waits for the compressed data; nil where compression does not pay

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
		Name: name, Offset: offset, Size: len(data), MD5: md5.Sum(data), //nolint:gosec // see above
		data: data, frames: map[framing][]block{},
	}
	p.deflated = sync.OnceValue(p.deflate)
	go p.deflated() // while the first unit is being connected to
	return p, nil
}

func (p *Packed) deflate() []byte {
	deflated, err := deflate.Compress(p.data)
	if err != nil || len(deflated) >= len(p.data) {
		return nil
	}
	return deflated
}

// WireSize is how many payload bytes go over the line for p.
func (p *Packed) WireSize() int {
	if deflated := p.deflated(); deflated != nil {
		return len(deflated)
	}
	return p.Size
}

// compressed reports whether p goes over the line compressed.
func (p *Packed) compressed() bool { return p.deflated() != nil }

// blocks returns the data frames of p for loaders that take them so. They are
// made once.
func (p *Packed) blocks(f framing) ([]block, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.frames[f]; ok {
		return b, nil
	}
	cut := p.cutPlain
	if f.deflated {
		cut = p.cutDeflated
	}
	b, err := cut(f.size)
	if err == nil {
		p.frames[f] = b
	}
	return b, err
}

// cutPlain cuts uncompressed data; the last block is filled up, as FLASH_DATA
// wants whole blocks.
func (p *Packed) cutPlain(size int) ([]block, error) {
	var out []block
	for seq, part := range enumerate(p.data, size) {
		inflated := len(part)
		part = append(slices.Clip(part), bytes.Repeat([]byte{0xFF}, size-len(part))...)
		out = append(out, block{dataFrame(FlashData, seq, part), inflated})
	}
	return out, nil
}

// stubBurst is how much the stub inflates before it erases and programs
// (esp-flasher-stub command_handler.c; miniz's TINFL_LZ_DICT_SIZE).
const stubBurst = 32 << 10

// cutDeflated cuts the compressed stream. A ROM wants blocks of one size. For
// the stub a frame also ends where its buffer is full, so that while it is busy
// with the flash, and one more frame fits, that one is as long as can be; a few
// bytes more let it begin to erase for the next burst before it waits for them.
func (p *Packed) cutDeflated(size int) ([]block, error) {
	const more = 16
	data := p.deflated()
	var out []block
	from, inflated := 0, 0
	cut := func(to int) {
		frame := dataFrame(FlashDeflData, len(out), data[from:to])
		out = append(out, block{frame, inflated})
		from, inflated = to, 0
	}
	err := eachBurst(data, func(end, n int) {
		if size == stubBlock {
			end = min(end+more, len(data))
		}
		for end-from > size {
			cut(from + size)
		}
		inflated += n
		if end > from && (size == stubBlock || end == len(data)) {
			cut(end)
		}
	})
	if err == nil && inflated > 0 { // the last burst began within those bytes
		out[len(out)-1].inflated += inflated
	}
	return out, err
}

// eachBurst finds where in the stream the inflater has stubBurst bytes more,
// and tells how many at its end.
func eachBurst(deflated []byte, tell func(end, inflated int)) error {
	in := bytes.NewReader(deflated) // a ByteReader: the inflater reads no further than it must
	z, err := zlib.NewReader(in)
	if err != nil {
		return err
	}
	buf := make([]byte, stubBurst)
	for {
		n, err := io.ReadFull(z, buf)
		switch {
		case err == nil:
			tell(len(deflated)-in.Len(), n)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			tell(len(deflated), n)
			return nil
		default:
			return err
		}
	}
}

// enumerate yields the parts of data, size bytes each, with their numbers.
func enumerate(data []byte, size int) func(yield func(int, []byte) bool) {
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
