package flasher

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
)

// stubBurst is how much the stub inflates before it erases and programs
// (esp-flasher-stub command_handler.c; miniz's TINFL_LZ_DICT_SIZE).
const stubBurst = 32 << 10

// stream is compressed data, and where in it the stub's work is due.
type stream struct {
	data   []byte
	bursts []burst
}

// burst is the stretch of a stream that fills the stub's buffer, or what is
// left of it for the last.
type burst struct {
	end      int // in the stream
	inflated int // bytes
}

// newStream inflates deflated, which has to be all of want and nothing else.
func newStream(deflated, want []byte) (*stream, error) {
	in := bytes.NewReader(deflated) // a ByteReader: the inflater reads no further than it must
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, err
	}
	s := &stream{data: deflated}
	buf := make([]byte, stubBurst)
	for {
		n, err := io.ReadFull(z, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		switch {
		case err != nil && !last:
			return nil, err
		case !bytes.HasPrefix(want, buf[:n]):
			return nil, errors.New("it inflates to something else")
		}
		want = want[n:]
		s.bursts = append(s.bursts, burst{len(deflated) - in.Len(), n})
		if last {
			break
		}
	}
	switch _, err := z.Read(buf); {
	case !errors.Is(err, io.EOF): // ReadFull says the same of an end as of a cut
		return nil, err
	case len(want) > 0 || in.Len() > 0:
		return nil, fmt.Errorf("%d bytes are missing, %d too many", len(want), in.Len())
	}
	return s, nil
}

// cut makes frames of the stream. A ROM wants blocks of one size. For the stub
// a frame also ends where its buffer is full, so that while it is busy with the
// flash, and one more frame fits, that one is as long as can be; a few bytes
// more let it begin to erase for the next burst before it waits for them.
func (s *stream) cut(size int) []block {
	const more = 16
	var out []block
	from, inflated := 0, 0
	cut := func(to int) {
		out = append(out, block{dataFrame(FlashDeflData, len(out), s.data[from:to]), inflated})
		from, inflated = to, 0
	}
	for _, b := range s.bursts {
		end := b.end
		if size == stubBlock {
			end = min(end+more, len(s.data))
		}
		for end-from > size {
			cut(from + size)
		}
		inflated += b.inflated
		if end > from && (size == stubBlock || end == len(s.data)) {
			cut(end)
		}
	}
	if inflated > 0 { // the last burst began within those bytes
		out[len(out)-1].inflated += inflated
	}
	return out
}
