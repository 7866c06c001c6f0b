package usbip

// device is a board on the bus: what the requests of the host do to it.
type device struct {
	board *Board
	*gadget
}

func (d *device) control(s setup, data []byte) ([]byte, bool) {
	if !s.isStandard() {
		return d.class.control(d, s, data)
	}
	if s.request == setConfiguration {
		d.board.configure()
		return nil, true
	}
	return d.standard(s)
}

func (d *device) ignores(s setup) bool { return !s.isStandard() && d.board.isHung() }

// configure notices a reset of the port, after which the host configures the
// device once more: the adapter then starts afresh.
func (b *Board) configure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.configured {
		b.wedged, b.hung = false, false
	}
	b.configured = true
}

func (d *device) receive(data []byte) {
	if !d.board.isWedged() {
		_, _ = d.port().Write(data) // the chip is gone, and the connection soon, too
	}
}

func (d *device) setLines(dtr, rts bool) { _ = d.port().SetLines(dtr, rts) }

// setBaud passes a rate on. Drivers ask for 0 when a tty hangs up.
func (d *device) setBaud(baud int) {
	if baud > 0 {
		_ = d.port().SetBaud(baud)
	}
}

func (d *device) discardInput() {
	d.board.mu.Lock()
	usb := d.board.usb
	d.board.mu.Unlock()
	usb.discard()
}

// port is the chip's line as the adapter has it.
func (d *device) port() linePort {
	d.board.mu.Lock()
	defer d.board.mu.Unlock()
	return d.board.line
}

// linePort is what an adapter does to a chip's line.
type linePort interface {
	Write(b []byte) (int, error)
	SetLines(dtr, rts bool) error
	SetBaud(baud int) error
}
