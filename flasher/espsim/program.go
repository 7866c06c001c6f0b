package espsim

import "cmp"

// startProgram runs what was uploaded to RAM. The code itself is not looked at:
// whatever was loaded around its entry point is taken for Espressif's stub.
func (c *Chip) startProgram(entry uint32) error {
	c.mu.Lock()
	dud := c.faults.has(NoStub)
	c.mu.Unlock()
	if dud || !c.cpu.mem.loaded(entry) {
		c.cfg.Logf("chip: nothing to run at %#x", entry)
		return c.lost()
	}
	if err := c.busy(c.cfg.Timing.StubStart); err != nil {
		return err
	}
	return c.runStub()
}

// lost is a CPU that runs something that does not answer.
func (c *Chip) lost() error {
	c.enter(Lost)
	return c.halt()
}

// enter tells the world what the chip does now.
func (c *Chip) enter(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setState(s)
}

// flush waits until the last bit of the answer is out.
func (c *Chip) flush() error {
	c.mu.Lock()
	sent := c.down.freeAt
	c.mu.Unlock()
	return c.busyUntil(sent)
}

// setBaud changes the chip's UART when the last bit of the answer is out.
func (c *Chip) setBaud(baud int) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.baud = baud
	return nil
}

// measureBaud turns the ROM's measuring of the host's rate on or off. It follows
// rates up to the one it starts with (esptool, ESP_ROM_BAUD).
func (c *Chip) measureBaud(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.autobaud = on
}

// romBaud is the rate that the ROM sets when it is asked for one: it divides
// the crystal that it believes to have.
func (c *Chip) romBaud(asked uint32) int {
	m := c.model
	believed := cmp.Or(m.ROMCrystal, m.Crystal)
	return int(int64(asked) * int64(m.Crystal) / int64(believed))
}
