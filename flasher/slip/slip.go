// Package slip frames byte packets for a serial line as RFC 1055 does, which
// is the framing of the ESP ROM loader and of its flasher stub.
//
// A frame is END payload END. Inside the payload END (C0) is sent as ESC
// ESC_END (DB DC) and ESC (DB) as ESC ESC_ESC (DB DD). Bytes outside a frame
// (a boot log, say) carry no meaning here and are passed to nobody.
package slip

// The four special bytes of RFC 1055.
const (
	End    = 0xC0
	Esc    = 0xDB
	EscEnd = 0xDC
	EscEsc = 0xDD
)

// Append appends the frame of payload to dst and returns the longer slice.
func Append(dst, payload []byte) []byte {
	dst = append(dst, End)
	for _, b := range payload {
		switch b {
		case End:
			dst = append(dst, Esc, EscEnd)
		case Esc:
			dst = append(dst, Esc, EscEsc)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, End)
}

// Decoder finds frames in a stream of bytes. The zero value is ready to use
// and accepts payloads of any length; set Max to bound them.
type Decoder struct {
	// Max is the longest payload accepted, in bytes; 0 means no bound. A
	// longer frame is dropped whole.
	Max int

	state   state
	payload []byte
}

type state uint8

const (
	outside state = iota // before the first END: boot log, noise
	inside               // collecting a payload
	escaped              // the last byte was ESC
	broken               // a frame that cannot be right: wait for its END
)

// Write feeds the bytes of p, calling frame for each whole payload. The slice
// passed to frame is only valid during the call. Empty frames (two ENDs in a
// row, as any sender may put between frames) are skipped.
func (d *Decoder) Write(p []byte, frame func(payload []byte)) {
	for _, b := range p {
		if payload, ok := d.step(b); ok {
			frame(payload)
		}
	}
}

// Reset forgets a frame that has begun.
func (d *Decoder) Reset() {
	d.state, d.payload = outside, d.payload[:0]
}

func (d *Decoder) step(b byte) (payload []byte, ok bool) {
	if b == End {
		payload, ok = d.payload, d.state == inside && len(d.payload) > 0
		// The closing END may be the opening END of the next frame; treating
		// it as both costs nothing, since empty frames are skipped. After a
		// broken frame the END is a fresh start.
		d.state, d.payload = inside, d.payload[:0]
		return payload, ok
	}
	switch d.state {
	case inside:
		if b == Esc {
			d.state = escaped
			return nil, false
		}
		d.push(b)
	case escaped:
		d.state = inside
		switch b {
		case EscEnd:
			d.push(End)
		case EscEsc:
			d.push(Esc)
		default:
			d.state = broken
		}
	case outside, broken:
	}
	return nil, false
}

func (d *Decoder) push(b byte) {
	if d.Max > 0 && len(d.payload) >= d.Max {
		d.state = broken
		return
	}
	d.payload = append(d.payload, b)
}
