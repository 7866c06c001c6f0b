package espsim

import "time"

// resetCause is why the chip starts.
type resetCause uint8

const (
	powerOn       resetCause = iota // power, or the EN pin
	resetByUSB                      // USB-Serial/JTAG, by DTR and RTS
	resetByRTC                      // RTC watchdog
	resetByTimer                    // timer group watchdog
	resetBySoft                     // software, digital core
	resetBrownOut                   // supply voltage
)

// ofSystem reports whether a reset is one of the whole system: it looks at the
// boot pins again, stops the RTC watchdog and takes the chip's USB unit off the
// bus. A core reset (by USB, timer watchdog or software) leaves all that.
func (r resetCause) ofSystem() bool { return r == powerOn || r == resetByRTC || r == resetBrownOut }

// enRise is how long EN takes to rise behind its 10 kΩ and 100 nF when it is let
// go. The pins are looked at after that: the gap in which a host that sets DTR
// and RTS one after the other leaves both asserted does no harm.
const enRise = 2 * time.Millisecond

// resetUnit is the chip's reset and strap logic. Chip.mu guards it.
type resetUnit struct {
	powered bool
	enLow   bool      // EN is held low
	io0Low  bool      // IO0 (IO9 on RISC-V chips) is held low by the host's lines
	held    bool      // IO0 is held low for this power-up only: a client without lines
	jig     bool      // IO0 is held low until further notice
	riseAt  time.Time // when EN was let go
	cause   resetCause

	usbFlag  bool // USB-Serial/JTAG's download flag
	usbBoot  bool // the flag at the last reset by USB
	strapLow bool // IO0 as the last system reset saw it
	forced   bool // the RTC register that forces download mode; survives core resets

	stop chan struct{} // closed to end the running program
}

// setLines applies the host's lines. Callers hold mu.
func (c *Chip) setLines(dtr, rts bool) {
	r := &c.reset
	switch c.cfg.Wiring {
	case USBSerialJTAG:
		c.setUSBLines(dtr, rts)
		return
	case USBOTG:
		c.setOTGLines(rts)
		return
	}
	r.io0Low = dtr && !rts
	enLow := rts && !dtr
	switch {
	case enLow && !r.enLow:
		r.enLow = true
		r.cause = powerOn
		c.setState(Off)
		c.interrupt()
	case !enLow && r.enLow:
		r.enLow = false
		r.riseAt = time.Now()
		c.interrupt()
	}
}

// setUSBLines is the table of the USB-Serial/JTAG unit: neither asserted clears
// the download flag, DTR alone sets it, RTS alone resets the chip, both do
// nothing (ESP32-S3 TRM, "USB Serial/JTAG Controller", reset and boot mode).
func (c *Chip) setUSBLines(dtr, rts bool) {
	was := c.host.lines
	r := &c.reset
	switch now := (lines{dtr, rts}); {
	case now == lines{false, false}:
		r.usbFlag = false
	case now == lines{true, false}:
		r.usbFlag = true
	case now == lines{false, true} && was != now:
		r.cause = resetByUSB
		r.usbBoot = r.usbFlag
		r.riseAt = time.Now()
		c.setState(Off)
		c.interrupt()
	}
}

// setOTGLines is what loader and stub make of the lines of the USB-OTG console:
// RTS asserted and let go is a request for a reset (esp-flasher-stub, main.c).
func (c *Chip) setOTGLines(rts bool) {
	if c.host.lines.rts && !rts && (c.state == Download || c.state == Stub) {
		c.selfReset(resetByUSB)
	}
}

// nextBoot waits until the chip has power and is out of reset, and returns why
// it starts and whether into download mode. It returns false when the chip is closed.
func (c *Chip) nextBoot() (cause resetCause, download, ok bool) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return 0, false, false
		}
		stop := make(chan struct{})
		// The program to come is told of resets from here on: one that comes
		// before it has begun must not be lost.
		c.reset.stop, c.cpu.stop = stop, stop
		up := c.reset.powered && !c.reset.enLow
		wait := time.Duration(0)
		if c.reset.cause == powerOn {
			wait = time.Until(c.reset.riseAt.Add(enRise))
		}
		if up && wait <= 0 {
			cause, download = c.sampleStraps()
			c.mu.Unlock()
			return cause, download, true
		}
		if !up {
			c.setState(Off)
		}
		c.mu.Unlock()
		var timer <-chan time.Time
		if up {
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-stop:
		}
	}
}

// sampleStraps is the moment at which the ROM begins. Callers hold mu.
func (c *Chip) sampleStraps() (resetCause, bool) {
	r := &c.reset
	cause := r.cause
	r.cause = powerOn
	if cause.ofSystem() {
		r.strapLow = r.io0Low || r.held || r.jig
		r.held = false
		r.forced = false
	}
	download := r.strapLow || r.forced || cause == resetByUSB && r.usbBoot || c.faults.has(StuckDownload)
	download = download && !c.faults.has(StuckBoot)
	if _, stuck := c.faults.is(StuckBoot); stuck {
		download = false
	}
	c.stats.Resets++
	c.setState(Starting)
	return cause, download
}
