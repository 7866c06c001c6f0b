package espsim

import (
	"cmp"
	"errors"
	"os"
	"time"
)

// ErrDetached is returned when the unit is not on its USB socket: by Open, and
// by the calls of a Port that was open when it went.
var ErrDetached error = detachedError{}

type detachedError struct{}

func (detachedError) Error() string { return "espsim: the unit is unplugged" }

// Detached marks the error for callers that do not import this package.
func (detachedError) Detached() bool { return true }

// ErrBusy is returned by Open while another Port is open.
var ErrBusy = errors.New("espsim: the port is in use")

const (
	resetBaud = 115200 // the rate of ROM, bootloader and application log
	// hostBuffer is what an operating system holds back of a write, and
	// inputBuffer what it keeps of input that nobody reads, in bytes.
	hostBuffer  = 4096
	inputBuffer = 64 << 10
	// packet is how many bytes an adapter hands to the host at once.
	packet = 64
	// baudTolerance is how far two UARTs may be apart: half a bit in ten, less
	// what edges cost.
	baudTolerance = 0.03
)

type lines struct{ dtr, rts bool }

// hostSide is the host's end of the line. Chip.mu guards it.
type hostSide struct {
	port     *Port
	lines    lines
	baud     int
	detached bool
}

// Port is the host's end of the chip's serial line. It has the methods of
// flasher.Port.
type Port struct {
	c *Chip
	portKind
	notify chan struct{} // bytes may have arrived
	gone   chan struct{} // closed with err set
	err    error
}

// portKind is what a client of a port cannot do.
type portKind struct {
	rateless bool // it cannot say its baud rate, which is taken to be right always
	lineless bool // it has no DTR and RTS
}

// Open opens the host's end of the line, as the first opener of a tty: at
// 115200 baud, with DTR and RTS asserted and nothing in the input buffer.
func (c *Chip) Open() (*Port, error) { return c.open(portKind{}) }

func (c *Chip) open(kind portKind) (*Port, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.host.detached || c.closed:
		return nil, ErrDetached
	case c.host.port != nil:
		return nil, ErrBusy
	}
	p := &Port{c: c, portKind: kind, notify: make(chan struct{}, 1), gone: make(chan struct{})}
	c.down.clear()
	c.host.port = p
	c.host.baud = resetBaud
	if !kind.lineless {
		c.moveLines(true, true)
	}
	return p, nil
}

// moveLines sets the host's lines. Callers hold mu.
func (c *Chip) moveLines(dtr, rts bool) {
	c.setLines(dtr, rts)
	c.host.lines = lines{dtr, rts}
}

// dropPort ends the open port with an error. Callers hold mu.
func (c *Chip) dropPort(err error) {
	if p := c.host.port; p != nil {
		p.err = err
		close(p.gone)
		c.host.port = nil
	}
	c.up.clear()
	c.down.clear()
}

// Read waits for at least one byte and returns what has arrived. The error is
// ErrDetached when the unit is unplugged, os.ErrClosed after Close.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, next, err := p.receive(b)
		if n > 0 || err != nil {
			return n, err
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		select {
		case <-timer:
		case <-p.notify:
		case <-p.gone:
		}
	}
}

// receive copies what has arrived, or says when to look again; zero is when
// told.
func (p *Port) receive(b []byte) (n int, next time.Time, err error) {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host.port != p {
		return 0, time.Time{}, p.err
	}
	now := time.Now().Add(-c.cfg.Timing.Latency)
	for n < len(b) {
		ready := c.down.arrived(now)
		if ready == 0 {
			break
		}
		s := &c.down.segments[0]
		k := copy(b[n:], s.data[:ready])
		if p.mismatch(s.baud) {
			garble(b[n:n+k], c.stats.Out)
		}
		c.stats.Out += int64(k)
		c.down.take(k)
		n += k
	}
	if n == 0 && len(c.down.segments) > 0 {
		s := &c.down.segments[0]
		next = s.arrival(min(len(s.data), packet) - 1).Add(c.cfg.Timing.Latency)
	}
	return n, next, nil
}

// mismatch reports whether bytes at another end's rate come out wrong here.
func (p *Port) mismatch(baud int) bool {
	return !p.rateless && differ(p.c.host.baud, baud)
}

// differ reports whether two UARTs at these rates misread each other. A rate
// of 0 is a line without rates.
func differ(a, b int) bool {
	if a == 0 || b == 0 {
		return false
	}
	ratio := float64(a) / float64(b)
	return ratio > 1+baudTolerance || ratio < 1-baudTolerance
}

// garble overwrites p with what a UART at the wrong rate makes of it: noise,
// the same noise for the same place in the stream.
func garble(p []byte, position int64) {
	x := uint64(position)*0x9E3779B97F4A7C15 + 1
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x >> 32)
	}
}

// Write puts b on the line. It returns when the operating system's buffer
// holds the rest, that is, after the time that all but the last 4 KiB take.
func (p *Port) Write(b []byte) (int, error) {
	c := p.c
	c.mu.Lock()
	if c.host.port != p {
		c.mu.Unlock()
		return 0, p.err
	}
	perByte, baud := c.hostByteTime(p)
	c.up.put(time.Now(), append([]byte(nil), b...), perByte, baud)
	drained := c.up.freeAt.Add(-hostBuffer * perByte)
	c.mu.Unlock()
	signal(c.wake)

	wait := time.Until(drained)
	if wait <= 0 {
		return len(b), nil
	}
	select {
	case <-time.After(wait):
		return len(b), nil
	case <-p.gone:
		return 0, p.err
	}
}

// hostByteTime returns how long a byte of the host takes, and its rate. Callers hold mu.
func (c *Chip) hostByteTime(p *Port) (time.Duration, int) {
	t := &c.cfg.Timing
	if c.cfg.Wiring.usb() {
		return at(t.USBRate, 1), 0
	}
	baud := c.host.baud
	if p.rateless {
		baud = 0
	}
	if !t.UART {
		return 0, baud
	}
	return at(cmp.Or(baud, c.baud), 10), baud
}

// signal wakes the receiver of a one-place channel.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// SetBaud changes the host's rate.
func (p *Port) SetBaud(baud int) error {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host.port != p {
		return p.err
	}
	if baud <= 0 {
		return errors.New("espsim: baud rate must be positive")
	}
	c.host.baud = baud
	return nil
}

// SetLines sets DTR and RTS in one step; true is asserted.
func (p *Port) SetLines(dtr, rts bool) error {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.host.port != p:
		return p.err
	case p.lineless:
		return errors.ErrUnsupported
	}
	c.moveLines(dtr, rts)
	return nil
}

// Close closes the port. The lines stay as they are, as with HUPCL off.
func (p *Port) Close() error {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host.port == p {
		c.dropPort(os.ErrClosed)
	}
	return nil
}
