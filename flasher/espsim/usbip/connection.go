package usbip

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// function is the device behind a connection.
type function interface {
	// ignores reports whether a request gets no answer at all.
	ignores(s setup) bool
	// control answers a request; false stalls it.
	control(s setup, data []byte) (answer []byte, ok bool)
	// receive takes what the host sent. It takes the time that the line does.
	receive(data []byte)
}

// connection is one plugging of a device: from the attach until the kernel or
// the device ends it.
type connection struct {
	rw      io.ReadWriteCloser
	device  function
	data    endpoints
	buffer  int // what the device keeps of bytes that the host does not fetch
	outward chan urb
	gone    chan struct{} // closed when the connection has ended

	// mu also orders what is written to rw: an URB is either answered or
	// taken back, never both.
	mu      sync.Mutex
	room    sync.Cond      // the buffer has been emptied a bit, or the connection has ended
	held    map[uint32]urb // not answered yet
	waiting []uint32       // of held: those that want data from the chip, oldest first
	fifo    []byte
	reading bool // the host fetches data
	leaving bool // control requests fail
	ended   bool
}

// endpoints are the numbers of the two that carry the chip's bytes.
type endpoints struct{ in, out uint8 }

func newConnection(rw io.ReadWriteCloser, device function, data endpoints, buffer int) *connection {
	c := &connection{
		rw: rw, device: device, data: data, buffer: buffer,
		outward: make(chan urb, 256), // drivers have 16 under way
		gone:    make(chan struct{}),
		held:    map[uint32]urb{},
	}
	c.room.L = &c.mu
	return c
}

// serve answers the kernel until one side closes the connection.
func (c *connection) serve() error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer c.close()
	wg.Go(c.carryOut)
	for {
		u, err := readURB(c.rw)
		if err != nil {
			return err
		}
		if err := c.take(u); err != nil {
			return err
		}
	}
}

func (c *connection) take(u urb) error {
	switch {
	case u.command == cmdUnlink:
		return c.unlink(u)
	case u.endpoint == 0:
		return c.control(u)
	case u.in && u.endpoint == c.data.in:
		return c.want(u)
	case u.in:
		c.hold(u) // notifications and JTAG: there never is anything
		return nil
	case u.endpoint == c.data.out:
		c.hold(u)
		select {
		case c.outward <- u:
			return nil
		default:
			return errors.New("usbip: the host has too many transfers under way")
		}
	default:
		c.hold(u)
		return c.finish(u, ok, len(u.data), nil)
	}
}

func (c *connection) control(u urb) error {
	c.hold(u)
	if c.isLeaving() {
		return c.finish(u, broken, 0, nil)
	}
	if c.device.ignores(u.setup) {
		return nil
	}
	answer, fine := c.device.control(u.setup, u.data)
	switch {
	case !fine:
		return c.finish(u, stalled, 0, nil)
	case u.in:
		answer = answer[:min(len(answer), u.length)]
		return c.finish(u, ok, len(answer), answer)
	default:
		return c.finish(u, ok, len(u.data), nil)
	}
}

// carryOut hands the host's bytes to the device, one transfer after the other.
func (c *connection) carryOut() {
	for {
		select {
		case u := <-c.outward:
			if c.isHeld(u) {
				c.device.receive(u.data)
				_ = c.finish(u, ok, len(u.data), nil) // serve meets the same error
			}
		case <-c.gone:
			return
		}
	}
}

func (c *connection) hold(u urb) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[u.sequence] = u
}

func (c *connection) isLeaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving
}

func (c *connection) isHeld(u urb) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, held := c.held[u.sequence]
	return held
}

// finish answers an URB, unless the kernel has taken it back.
func (c *connection) finish(u urb, status, actual int, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answer(u, status, actual, data)
}

// answer is finish for callers that hold mu.
func (c *connection) answer(u urb, status, actual int, data []byte) error {
	if _, held := c.held[u.sequence]; !held || c.ended {
		return nil
	}
	delete(c.held, u.sequence)
	_, err := c.rw.Write(u.answer(status, actual, data))
	return err
}

// unlink takes an URB back that is not answered yet.
func (c *connection) unlink(u urb) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := ok // answered already
	if victim, held := c.held[u.victim]; held {
		status = unlinked
		delete(c.held, u.victim)
		if victim.in && victim.endpoint == c.data.in {
			c.waiting = slices.DeleteFunc(c.waiting, func(s uint32) bool { return s == u.victim })
			c.reading = false // drivers take all back when the tty is closed
			c.room.Broadcast()
		}
	}
	_, err := c.rw.Write(u.unlinkAnswer(status))
	return err
}

// want is the host asking for bytes of the chip.
func (c *connection) want(u urb) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[u.sequence] = u
	c.waiting = append(c.waiting, u.sequence)
	c.reading = true
	return c.flush()
}

// send brings bytes of the chip to the host. While somebody reads, it waits
// until they are fetched; else what is more than the buffer holds is lost.
func (c *connection) send(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(data) > 0 && !c.leaving && !c.ended {
		n := min(len(data), max(0, c.capacity()-len(c.fifo)))
		c.fifo = append(c.fifo, data[:n]...)
		data = data[n:]
		if c.flush() != nil {
			return // serve meets the same error
		}
		if len(data) > 0 && len(c.fifo) > 0 {
			if !c.reading {
				return
			}
			c.room.Wait()
		}
	}
}

// transfers is about what a driver has asked for while it reads, in bytes.
const transfers = 4096

// capacity is how many bytes find room. Callers hold mu.
func (c *connection) capacity() int {
	if c.reading {
		return max(c.buffer, transfers)
	}
	return c.buffer
}

// flush answers those who wait for bytes. Callers hold mu.
func (c *connection) flush() error {
	for len(c.waiting) > 0 && len(c.fifo) > 0 {
		u := c.held[c.waiting[0]]
		c.waiting = c.waiting[1:]
		n := min(u.length, len(c.fifo))
		data := c.fifo[:n]
		c.fifo = c.fifo[n:]
		if err := c.answer(u, ok, n, data); err != nil {
			return fmt.Errorf("usbip: %w", err)
		}
	}
	c.room.Broadcast()
	return nil
}

// discard empties the buffer.
func (c *connection) discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fifo = nil
	c.room.Broadcast()
}

// hubLag is how long nobody answers before the hub says that the device is
// gone: hubs are asked every 12 to 255 ms.
const hubLag = 50 * time.Millisecond

// leave takes the device off the bus. A host controller notices within a
// fraction of a millisecond that a device does not answer any more, and fails
// what is under way; vhci_hcd leaves that to us. It matters for control
// requests, without an answer to which drivers hang for 5 s each. One that the
// kernel sends at the very end still does that.
func (c *connection) leave() {
	half, ok := c.rw.(interface{ CloseRead() error })
	if !ok { // no kernel is there
		c.close()
		return
	}
	c.breakOff()
	time.Sleep(hubLag)
	_ = half.CloseRead() // serve answers what was sent already, and closes
}

// breakOff fails the control requests that are under way, and those to come.
func (c *connection) breakOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	for _, u := range c.held {
		if u.endpoint == 0 {
			_ = c.answer(u, broken, 0, nil) // serve meets the same error
		}
	}
	c.room.Broadcast()
}

// close ends the connection: the kernel sees the device leave.
func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		_ = c.rw.Close() // there is nobody left to be told
		close(c.gone)
		c.room.Broadcast()
	}
}
