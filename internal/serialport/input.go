package serialport

import (
	"errors"
	"io"
	"os"
)

// input is what the chip has said, on its way to Read. A tty is read on a
// goroutine of its own, since neither Close nor an unplugged cable can end a
// read that hangs in the kernel.
type input struct {
	chunks chan []byte // closed when nothing will come any more
	err    error       // why; set before chunks is closed
	rest   []byte      // of the last chunk
}

// pump reads until the port is closed or fails.
func (t *tty) pump() {
	defer close(t.input.chunks)
	// Two in turn: a chunk is asked for when the one before has been used up.
	var buffers [2][4096]byte
	for i := 0; ; i++ {
		chunk, err := t.readChunk(buffers[i%2][:])
		if err != nil {
			t.input.err = err
			return
		}
		select {
		case t.input.chunks <- chunk:
		case <-t.closed:
			return
		}
	}
}

// readChunk waits for bytes.
func (t *tty) readChunk(b []byte) ([]byte, error) {
	for {
		n, err := t.bytes.Read(b)
		switch {
		case n > 0:
			return b[:n], nil
		case t.isClosed():
			return nil, os.ErrClosed
		case err != nil && !errors.Is(err, io.EOF):
			return nil, t.fail("read", err)
		case t.hungUp(0): // it reads as empty then, without an error, for ever
			return nil, &DetachedError{Port: t.path}
		}
	}
}

// Read implements flasher.Port.
func (t *tty) Read(b []byte) (int, error) {
	if t.isClosed() {
		return 0, t.fail("read", os.ErrClosed)
	}
	if len(t.input.rest) == 0 && len(b) > 0 {
		select {
		case chunk, ok := <-t.input.chunks:
			if !ok {
				return 0, t.input.err
			}
			t.input.rest = chunk
		case <-t.closed:
			return 0, t.fail("read", os.ErrClosed)
		}
	}
	n := copy(b, t.input.rest)
	t.input.rest = t.input.rest[n:]
	return n, nil
}
