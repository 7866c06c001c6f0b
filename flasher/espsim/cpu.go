package espsim

import (
	"cmp"
	"errors"
	"time"
)

// cpu is what the running program works with. It belongs to the chip's
// goroutine alone.
type cpu struct {
	// clock is the time up to which the program has worked. It runs behind the
	// world's while the program waits, and never stays ahead of it.
	clock time.Time
	stop  <-chan struct{} // closed at a reset
	mem   memory
	dog   watchdogUnit
	muted bool // nothing leaves the chip: a fault
	flash flashChip
}

// run is the chip's life, from power-up to Close.
func (c *Chip) run() {
	defer close(c.done)
	for {
		cause, download, ok := c.nextBoot()
		if !ok {
			return
		}
		c.powerCycle(cause, download)
	}
}

// powerCycle runs the program that a reset starts, until the next reset.
func (c *Chip) powerCycle(cause resetCause, download bool) {
	c.mu.Lock()
	c.baud = c.romBaud(resetBaud)
	c.autobaud = false
	c.mu.Unlock()
	c.cpu.clock = time.Now()
	c.cpu.muted = false
	c.cpu.mem.reset(c.model.Registers)
	c.cpu.dog.reset(cause)
	c.cpu.flash.pins = 0

	err := c.boot(cause, download)
	if !errors.Is(err, errCut) && !errors.As(err, new(restart)) {
		c.cfg.Logf("chip: stopped, its flash failed: %v", err)
		err = c.lost()
	}
	var self restart
	if errors.As(err, &self) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.cut() { // else a reset from outside came first, and counts
			c.selfReset(self.cause)
		}
	}
}

// selfReset is a reset that the chip causes itself. Callers hold mu.
func (c *Chip) selfReset(cause resetCause) {
	c.reset.cause = cause
	c.interrupt()
	if c.cfg.Wiring == USBSerialJTAG && cause.ofSystem() || c.cfg.Wiring == USBOTG {
		// The USB unit is reset too: the device leaves the bus and comes back.
		c.dropPort(ErrDetached)
	}
}

// cut reports whether a reset has ended the program.
func (c *Chip) cut() bool {
	select {
	case <-c.cpu.stop:
		return true
	default:
		return false
	}
}

// busy lets the program work for d.
func (c *Chip) busy(d time.Duration) error {
	return c.busyUntil(c.cpu.clock.Add(d))
}

// busyUntil lets the program work until t.
func (c *Chip) busyUntil(t time.Time) error {
	if t.After(c.cpu.clock) {
		c.cpu.clock = t
	}
	return c.sleepUntil(c.cpu.clock)
}

// sleepUntil sleeps until the world's clock shows t.
func (c *Chip) sleepUntil(t time.Time) error {
	t, fired := c.cpu.dog.before(t)
	if d := time.Until(t); d > 0 {
		select {
		case <-time.After(d):
		case <-c.cpu.stop:
			return errCut
		}
	}
	switch {
	case fired:
		return restart{c.cpu.dog.cause()}
	case c.cut():
		return errCut
	}
	return nil
}

// halt waits for a reset: the program does nothing any more, nor does it read.
func (c *Chip) halt() error {
	for {
		c.discardInput()
		if err := c.waitForInput(time.Time{}); err != nil {
			return err
		}
	}
}

// discardInput is a program that does not look at its serial port.
func (c *Chip) discardInput() {
	c.mu.Lock()
	c.up.clear()
	c.mu.Unlock()
}

// A sink takes the bytes of the host one by one and reports whether there is
// something for the program to do now.
type sink interface{ byte(b byte) (ready bool) }

// awaitInput feeds the sink until it is ready. The program is idle meanwhile:
// its clock stands at the arrival of the byte that made the sink ready.
func (c *Chip) awaitInput(s sink) error {
	for {
		ready, next := c.feed(s, time.Now(), true)
		if ready {
			return nil
		}
		if now := time.Now(); now.After(c.cpu.clock) {
			c.cpu.clock = now
		}
		if err := c.waitForInput(next); err != nil {
			return err
		}
	}
}

// waitForInput waits for new bytes from the host, or until those on the line
// have arrived.
func (c *Chip) waitForInput(next time.Time) error {
	deadline, fires := c.cpu.dog.deadline()
	if fires && (next.IsZero() || deadline.Before(next)) {
		next = deadline
	}
	var timer <-chan time.Time
	if !next.IsZero() {
		timer = time.After(time.Until(next))
	}
	select {
	case <-timer:
	case <-c.wake:
	case <-c.cpu.stop:
		return errCut
	}
	if fires && !time.Now().Before(deadline) {
		return restart{c.cpu.dog.cause()}
	}
	if c.cut() {
		return errCut
	}
	return nil
}

// interruptInput feeds the sink what arrived while the program was busy: the
// receive interrupt. On a line that takes no time the host is never too fast,
// so there the bytes wait.
func (c *Chip) interruptInput(s sink) {
	if t := &c.cfg.Timing; t.UART || c.cfg.Wiring.usb() && t.USBRate > 0 {
		c.feed(s, c.cpu.clock, false)
	}
}

// feed gives the sink the bytes that arrived by now, stopping when it is ready
// if the program is idle. It returns when to look again; zero is at new bytes.
func (c *Chip) feed(s sink, now time.Time, idle bool) (ready bool, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n := c.up.arrived(now)
		if n == 0 {
			next, _ = c.up.arrivalOf(slipEnd)
			return false, next
		}
		run := c.up.segments[0]
		used, ready := c.feedRun(s, run, n, idle)
		if c.host.detached {
			return false, time.Time{}
		}
		c.up.take(used)
		if ready {
			if arrived := run.arrival(used - 1); arrived.After(c.cpu.clock) {
				c.cpu.clock = arrived
			}
			return true, time.Time{}
		}
	}
}

// feedRun gives the sink the first n bytes of a segment, or as many as make it
// ready, and returns how many that were. This is the line's last yard: faults
// strike here, and the chip's idea of the rate counts. Callers hold mu.
func (c *Chip) feedRun(s sink, run segment, n int, idle bool) (used int, ready bool) {
	c.burst.begin(&run)
	defer func() { c.burst.last = run.arrival(used - 1) }()
	if c.autobaud && run.baud <= resetBaud {
		c.baud = cmp.Or(run.baud, resetBaud)
	}
	misread := differ(run.baud, c.baud)
	sound := !misread && len(c.faults.all) == 0
	for i, b := range run.data[:n] {
		position := c.stats.In
		c.stats.In++
		if !sound {
			lost := false
			if b, lost = c.disturb(b, position, run.baud, misread); lost {
				continue
			}
		}
		ready := s.byte(b)
		c.burst.position++
		if ready && idle {
			return i + 1, true
		}
	}
	return n, false
}

// disturb is what becomes of a byte on a line with faults or between two rates.
// Callers hold mu.
func (c *Chip) disturb(b byte, position int64, baud int, misread bool) (_ byte, lost bool) {
	switch kind, _ := c.faults.atByte(position); kind {
	case DropByte:
		return b, true
	case GarbleByte:
		b = ^b
	case DetachByte:
		c.unplug()
	}
	if f, limited := c.faults.is(MaxBaud); limited && baud > int(f.Value) && noisy(position) {
		misread = true
	}
	if misread {
		b = noise(b, position)
	}
	return b, c.host.detached
}

// noise is what comes out for the byte at a position when it is misread.
func noise(b byte, position int64) byte {
	p := [1]byte{b}
	garble(p[:], position)
	return p[0]
}

// noisy picks one position in sixteen, without a pattern that frames could share.
func noisy(position int64) bool { return uint32(position)*0x9E3779B1>>28 == 0 }

// transmitFIFO is how many bytes the UART sends on its own behind the program.
const transmitFIFO = 128

// transmit puts bytes on the line to the host. The program waits while the
// transmit FIFO is full.
func (c *Chip) transmit(data []byte) error {
	if c.cpu.muted {
		return nil
	}
	c.mu.Lock()
	perByte, baud := c.byteTime()
	p := c.host.port
	if p != nil && c.down.queued() < inputBuffer {
		c.down.put(c.cpu.clock, data, perByte, baud)
		signal(p.notify)
	}
	c.mu.Unlock()
	return c.busy(max(0, time.Duration(len(data)-transmitFIFO)*perByte))
}

// byteTime returns how long the chip takes to send a byte, and its rate. Callers hold mu.
func (c *Chip) byteTime() (time.Duration, int) {
	t := &c.cfg.Timing
	switch {
	case c.cfg.Wiring.usb():
		return at(t.USBRate, 1), 0
	case t.UART:
		return at(c.baud, 10), c.baud
	default:
		return 0, c.baud
	}
}

// print writes a line of a log.
func (c *Chip) print(s string) error { return c.transmit([]byte(s + "\r\n")) }
