package flasher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hoptech.co.nz/flashd/flasher/slip"
)

// transport moves frames and text over a Port. One goroutine reads the port
// for as long as it is open, so that every wait can be a select.
type transport struct {
	port   Port
	chunks chan []byte // what was read; closed when reading ends
	ended  error       // why; valid once chunks is closed

	decoder slip.Decoder
	frames  [][]byte   // decoded, not yet asked for
	text    []byte     // the last bytes outside frames: the boot log, if there is one
	pending chan error // of a call on the port that was given up and has not come back; else nil
}

// maxText bounds how much of a boot log is kept for looking at.
const maxText = 4096

func newTransport(port Port) *transport {
	t := &transport{port: port, chunks: make(chan []byte, 64)}
	go t.read()
	return t
}

func (t *transport) read() {
	defer close(t.chunks)
	buf := make([]byte, 16<<10)
	for {
		n, err := t.port.Read(buf)
		if n > 0 {
			t.chunks <- bytes.Clone(buf[:n])
		}
		if err != nil {
			t.ended = err
			return
		}
	}
}

// close ends the reading goroutine and the port.
func (t *transport) close() error {
	err := t.port.Close()
	go func() { // a reader that is handing over its last chunk must not hang
		for range t.chunks {
		}
	}()
	return err
}

// within runs a call on the port and gives up on it when ctx ends: a device
// that vanished can hold a write or an ioctl for seconds, and a busy machine
// one that is there for longer than a SYNC gets. The next call then waits for
// it first, so that calls never overtake each other.
func (t *transport) within(ctx context.Context, call func() error) error {
	if t.pending != nil {
		if err := t.await(ctx); err != nil {
			return err
		}
	}
	t.pending = make(chan error, 1)
	go func(done chan<- error) { done <- call() }(t.pending)
	return t.await(ctx)
}

// await waits for the call under way.
func (t *transport) await(ctx context.Context) error {
	select {
	case err := <-t.pending:
		t.pending = nil
		return portError(err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// receive waits for the next bytes.
func (t *transport) receive(ctx context.Context) ([]byte, error) {
	select {
	case chunk, ok := <-t.chunks:
		if !ok {
			return nil, portError(t.ended)
		}
		return chunk, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// sendFrame writes payload as one frame, in one call.
func (t *transport) sendFrame(ctx context.Context, frame []byte) error {
	return t.within(ctx, func() error {
		_, err := t.port.Write(frame)
		return err
	})
}

// frame waits for the next frame.
func (t *transport) frame(ctx context.Context) ([]byte, error) {
	for len(t.frames) == 0 {
		chunk, err := t.receive(ctx)
		if err != nil {
			return nil, err
		}
		t.keepText(chunk)
		t.decoder.Write(chunk, func(p []byte) { t.frames = append(t.frames, bytes.Clone(p)) })
	}
	frame := t.frames[0]
	t.frames = t.frames[1:]
	return frame, nil
}

// keepText remembers the last of what was received, frames and all: the boot
// log that explains why no frame came is in it.
func (t *transport) keepText(chunk []byte) {
	t.text = append(t.text, chunk...)
	if n := len(t.text) - maxText; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
	}
}

// discard drops the frames received so far; a boot log among them is kept.
func (t *transport) discard() {
	t.decoder.Reset()
	t.frames = nil
	for {
		select {
		case chunk, ok := <-t.chunks:
			if !ok {
				return
			}
			t.keepText(chunk)
		default:
			return
		}
	}
}

// settle drops everything that arrives until the line has been quiet for that
// long, but waits no longer than atMost.
func (t *transport) settle(ctx context.Context, quiet, atMost time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, errQuiet)
	defer cancel()
	for {
		step, cancelStep := context.WithTimeoutCause(ctx, quiet, errQuiet)
		_, err := t.receive(step)
		cancelStep()
		if err != nil {
			t.decoder.Reset()
			t.frames = nil
			if errors.Is(err, errQuiet) {
				return nil
			}
			return err
		}
	}
}

var errQuiet = errors.New("the line is quiet")

// portError gives a failure of the port its Kind.
func portError(err error) error {
	var gone interface{ Detached() bool }
	switch {
	case err == nil, errors.Is(err, errors.ErrUnsupported), errors.As(err, new(Kind)):
		return err
	case errors.As(err, &gone) && gone.Detached():
		return fmt.Errorf("%w: %w", Detached, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("%w: %w", Detached, err)
	default:
		return fmt.Errorf("%w: %w", IO, err)
	}
}
