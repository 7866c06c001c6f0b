package usbip

import (
	"errors"
	"io"
	"sync"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// A Board is a simulated chip with its adapter, on a cable or not. Its methods
// may be called from several goroutines.
type Board struct {
	chip    *espsim.Chip
	model   *espsim.Model
	mac     [6]byte
	adapter Adapter

	mu         sync.Mutex
	life       sync.WaitGroup // of the goroutines of one plugging
	plugged    bool
	line       *espsim.Port
	usb        *connection // nil while the device is not on the bus
	configured bool
	wedged     bool
	hung       bool
}

// ErrPlugged is returned when a board that is to be plugged in is on a cable
// already.
var ErrPlugged = errors.New("usbip: the board is plugged in already")

// New makes a board, without power. Config.Wiring is set as the adapter has it.
func New(cfg espsim.Config, a Adapter) *Board {
	cfg.Wiring = a.wiring()
	b := &Board{chip: espsim.New(cfg), model: cfg.Model, mac: cfg.MAC, adapter: a}
	b.chip.Unplug()
	return b
}

// Chip returns the board's chip.
func (b *Board) Chip() *espsim.Chip { return b.chip }

// Close unplugs the board for good.
func (b *Board) Close() {
	b.Unplug()
	b.chip.Close()
}

// Plug puts the board into a port of the virtual USB controller, from 0. The
// kernel then enumerates it, which takes it half a second.
func (b *Board) Plug(port int) error {
	return b.power(func() (io.ReadWriteCloser, error) {
		return attach(port)
	})
}

// Serve is Plug for a host of one's own: conn is where the URBs come from. It
// returns when the board is unplugged, leaves the bus, or conn is closed.
func (b *Board) Serve(conn io.ReadWriteCloser) error {
	served := make(chan struct{})
	first := conn
	err := b.power(func() (io.ReadWriteCloser, error) {
		if first == nil {
			return nil, errLeft
		}
		c := &endOfLife{ReadWriteCloser: first, ended: served}
		first = nil
		return c, nil
	})
	if err != nil {
		return err
	}
	<-served
	b.Unplug()
	return nil
}

// errLeft ends a Serve whose device has left the bus.
var errLeft = errors.New("usbip: the device has left the bus")

type endOfLife struct {
	io.ReadWriteCloser
	ended chan struct{}
	once  sync.Once
}

func (e *endOfLife) Close() error {
	e.once.Do(func() { close(e.ended) })
	return e.ReadWriteCloser.Close()
}

// power switches the board on and keeps it on the bus that connect leads to.
func (b *Board) power(connect func() (io.ReadWriteCloser, error)) error {
	b.mu.Lock()
	if b.plugged {
		b.mu.Unlock()
		return ErrPlugged
	}
	b.plugged, b.wedged, b.hung = true, false, false
	b.mu.Unlock()
	b.chip.Plug()
	if err := b.enumerate(connect); err != nil {
		b.Unplug()
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.plugged { // else it is on its way out again
		b.life.Go(func() { b.carry(connect) })
	}
	return nil
}

// enumerate opens the chip's line and brings the device onto the bus.
func (b *Board) enumerate(connect func() (io.ReadWriteCloser, error)) error {
	line, err := b.chip.Open()
	if err != nil {
		return err
	}
	// An adapter that has just been powered up pulls neither line.
	if err := line.SetLines(false, false); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.plugged {
		return espsim.ErrDetached
	}
	rw, err := connect()
	if err != nil {
		return err
	}
	g := b.adapter.gadget(b.model, b.mac)
	b.line, b.configured = line, false
	b.usb = newConnection(rw, &device{b, g}, g.endpoints, g.buffer)
	usb := b.usb
	b.life.Go(func() { _ = usb.serve() }) // it ends with the plugging, and says so
	return nil
}

// carry brings the chip's bytes to the host until the board loses its power. A
// chip that resets its own USB unit leaves the bus and enumerates anew.
func (b *Board) carry(connect func() (io.ReadWriteCloser, error)) {
	buffer := make([]byte, 4096)
	for {
		b.mu.Lock()
		line, usb := b.line, b.usb
		b.mu.Unlock()
		n, err := line.Read(buffer)
		if err == nil {
			if !b.isWedged() {
				usb.send(buffer[:n])
			}
			continue
		}
		usb.leave()
		if b.enumerate(connect) != nil {
			return // unplugged, by whoever did it
		}
	}
}

// Unplug pulls the cable, whatever is under way.
func (b *Board) Unplug() {
	b.mu.Lock()
	b.plugged = false
	usb := b.usb
	b.mu.Unlock()
	b.chip.Unplug()
	if usb != nil {
		usb.leave()
	}
	b.life.Wait()
}

// Wedge makes the adapter lose all bytes, both ways, until the host resets the
// device or somebody replugs it. Lines and baud rate still work, as with a
// bridge whose firmware has lost its way.
func (b *Board) Wedge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wedged = true
}

// Hang is Wedge for an adapter that answers no request of its driver either:
// whatever moves a line or sets a rate waits in the kernel for 5 s.
func (b *Board) Hang() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wedged, b.hung = true, true
}

func (b *Board) isHung() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hung
}

func (b *Board) isWedged() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wedged
}
