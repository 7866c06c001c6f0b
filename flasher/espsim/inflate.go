package espsim

import (
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"math"
)

var (
	errInflateSum = errors.New("espsim: Adler-32 of the inflated data is wrong")
	errInflate    = errors.New("espsim: not a deflate stream")
)

// outputUnit is how much the loaders inflate before they write: the
// dictionary of their inflater, 32 KiB.
const outputUnit = 32 << 10

// inflater inflates a zlib stream that arrives in pieces. compress/flate pulls its
// input, so it runs in a goroutine that hands control back whenever it needs more.
type inflater struct {
	// summed is how many bytes the output may have for the Adler-32 behind it to be
	// looked at; else the stream ends with its deflate data. To be set before a
	// piece is fed.
	summed int64

	in      chan []byte
	out     chan inflated
	running bool
	done    bool
	failure error
	unread  int // bytes of the last piece behind the end of the stream
}

type inflated struct {
	data   []byte
	end    bool // the stream is complete, or broken
	err    error
	unread int
}

func newInflater() *inflater {
	f := &inflater{in: make(chan []byte), out: make(chan inflated), running: true, summed: math.MaxInt64}
	go f.run()
	return f
}

// feed inflates the next piece. What it returns is to be written even when the
// stream breaks behind it.
func (f *inflater) feed(piece []byte) ([]byte, error) {
	if f.done {
		f.unread = len(piece)
		return nil, f.failure
	}
	f.in <- piece
	got := <-f.out
	if got.end {
		f.done, f.failure, f.unread, f.running = true, got.err, got.unread, false
	}
	return got.data, f.failure
}

// close ends the goroutine.
func (f *inflater) close() {
	if f != nil && f.running {
		close(f.in)
		f.running = false
	}
}

// run owns the reader. Each piece taken from in is answered on out once.
func (f *inflater) run() {
	pull := &pieces{in: f.in, out: f.out}
	err := f.stream(pull)
	if pull.closed {
		return
	}
	f.out <- inflated{data: pull.inflated, end: true, err: err, unread: len(pull.left)}
}

// stream inflates a whole zlib stream (RFC 1950).
func (f *inflater) stream(p *pieces) error {
	var head [2]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return errInflate
	}
	const method, maxWindow, preset = 8, 7, 1 << 5
	if head[0]&0xF != method || head[0]>>4 > maxWindow || head[1]&preset != 0 || binary.BigEndian.Uint16(head[:])%31 != 0 {
		return errInflate
	}
	sum := adler32.New()
	n, err := io.Copy(io.MultiWriter(sinkWriter{p}, sum), flate.NewReader(p))
	switch {
	case err != nil:
		return errInflate
	case n > f.summed:
		return nil
	}
	var tail [4]byte
	if _, err := io.ReadFull(p, tail[:]); err != nil {
		return errInflate
	}
	if binary.BigEndian.Uint32(tail[:]) != sum.Sum32() {
		return errInflateSum
	}
	return nil
}

// pieces is the reader that asks for more, handing over what has been inflated
// meanwhile. It is a ByteReader so that nobody reads ahead of what is needed.
type pieces struct {
	in       <-chan []byte
	out      chan<- inflated
	left     []byte
	started  bool
	closed   bool
	inflated []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if err := p.fill(); err != nil {
		return 0, err
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}

func (p *pieces) ReadByte() (byte, error) {
	if err := p.fill(); err != nil {
		return 0, err
	}
	b := p.left[0]
	p.left = p.left[1:]
	return b, nil
}

// fill waits for a piece with something in it.
func (p *pieces) fill() error {
	for len(p.left) == 0 {
		if p.started {
			p.out <- inflated{data: p.inflated}
			p.inflated = nil
		}
		p.started = true
		piece, ok := <-p.in
		if !ok {
			p.closed = true
			return io.ErrUnexpectedEOF
		}
		p.left = piece
	}
	return nil
}

type sinkWriter struct{ p *pieces }

func (s sinkWriter) Write(b []byte) (int, error) {
	s.p.inflated = append(s.p.inflated, b...)
	return len(b), nil
}
