package espsim

import "hoptech.co.nz/flashd/flasher/slip"

// stubBuffer is the size of a frame buffer of the stub: header, 16 KiB and
// some (esp-flasher-stub v1.1.0, frame_buffer.h).
const stubBuffer = headerSize + 0x4000 + 0xFF

// frameBuffers is how the stub receives: an interrupt fills one of two buffers
// while the program works on the other. With both in use bytes are dropped, and
// a buffer that is armed in the middle of a frame takes that frame's closing
// delimiter for an opening one (esp-flasher-stub, slip.c and frame_buffer.c).
type frameBuffers struct {
	buffers    [2]frameBuffer
	filling    int // the buffer that the interrupt fills
	processing int // the buffer that the program works on
	armed      bool
	state      receiveState
	size       int // of a buffer, in bytes
	dropped    *int64

	// batch is how many bytes the interrupt takes at once: it looks for 32 in the
	// UART's FIFO, or a pause (transport.c). What follows a frame in its batch
	// comes before the program has armed a buffer again. 0 is a line that takes no
	// time, on which bytes wait.
	batch int
	burst *burst
	deaf  int // bytes of the batch still to come behind a frame
}

// uartBatch is the stub's threshold of the UART's receive FIFO, in bytes, and
// usbBatch a packet of USB (esp-flasher-stub v1.1.0, transport.c).
const (
	uartBatch = 32
	usbBatch  = 64
)

type frameBuffer struct {
	data          []byte // behind its end it keeps earlier frames
	complete, bad bool
}

// allocate gives the buffers their size.
func (f *frameBuffers) allocate(size int) {
	f.size = size
	for i := range f.buffers {
		f.buffers[i].data = make([]byte, 0, size)
	}
}

func (b *frameBuffer) used() bool { return b.complete || b.bad }

type receiveState uint8

const (
	noFrame receiveState = iota
	inFrame
	escaping
)

// byte implements sink: the receive interrupt.
func (f *frameBuffers) byte(b byte) (ready bool) {
	if f.missed() {
		return false
	}
	switch f.state {
	case noFrame:
		switch {
		case b == slip.End && f.armed:
			f.buffers[f.filling].data = f.buffers[f.filling].data[:0]
			f.state = inFrame
		case !f.armed:
			*f.dropped++
		}
	case inFrame:
		switch b {
		case slip.End:
			return f.close()
		case slip.Esc:
			f.state = escaping
		default:
			return f.put(b)
		}
	case escaping:
		f.state = inFrame
		switch b {
		case slip.EscEnd:
			return f.put(slip.End)
		case slip.EscEsc:
			return f.put(slip.Esc)
		default:
			return f.fail()
		}
	}
	return false
}

// close ends a frame. An empty one leaves the buffer armed.
func (f *frameBuffers) close() bool {
	f.state = noFrame
	buffer := &f.buffers[f.filling]
	if len(buffer.data) == 0 {
		return false
	}
	buffer.complete = true
	f.disarm()
	return true
}

// disarm leaves the interrupt without a buffer for the rest of its batch.
func (f *frameBuffers) disarm() {
	f.armed = false
	if f.batch > 0 {
		f.deaf = f.batch - 1 - f.burst.position%f.batch
	}
}

// missed reports whether a byte comes in the batch of a frame, behind it.
func (f *frameBuffers) missed() bool {
	if f.deaf == 0 || f.burst.position == 0 {
		f.deaf = 0
		return false
	}
	f.deaf--
	*f.dropped++
	return true
}

func (f *frameBuffers) put(b byte) bool {
	buffer := &f.buffers[f.filling]
	if len(buffer.data) >= f.size {
		return f.fail()
	}
	buffer.data = append(buffer.data, b)
	return false
}

// fail gives a frame up: it is too long, or its escapes are wrong.
func (f *frameBuffers) fail() bool {
	f.buffers[f.filling].bad = true
	f.disarm()
	f.state = noFrame
	return true
}

// arm gives the interrupt a free buffer, if there is one.
func (f *frameBuffers) arm() {
	if f.buffers[f.filling].used() {
		other := 1 - f.filling
		if f.buffers[other].used() {
			f.armed = false
			return
		}
		f.filling = other
	}
	f.buffers[f.filling].data = f.buffers[f.filling].data[:0]
	f.armed = true
}

// poll takes the frame that came first and arms the other buffer. It returns
// false when there is none; bad is a frame to be released unread.
func (f *frameBuffers) poll() (data []byte, bad, ok bool) {
	other := 1 - f.filling
	switch {
	case f.buffers[other].bad || f.buffers[other].complete && !f.buffers[f.filling].bad:
		f.processing = other
	case f.buffers[f.filling].used():
		f.processing = f.filling
	default:
		return nil, false, false
	}
	f.arm()
	b := &f.buffers[f.processing]
	return b.data, b.bad, true
}

// release frees the buffer that poll took. Doing it twice is harmless.
func (f *frameBuffers) release() {
	b := &f.buffers[f.processing]
	b.data, b.complete, b.bad = b.data[:0], false, false
}
