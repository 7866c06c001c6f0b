package espsim

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Wiring is how the host's DTR and RTS reach the chip.
type Wiring uint8

const (
	// Bridge is a USB-UART bridge with the two-transistor circuit: EN is low
	// while RTS is asserted and DTR is not, IO0 while DTR is and RTS is not.
	Bridge Wiring = iota
	// USBSerialJTAG is the chip's own USB unit, which makes sense of DTR and
	// RTS itself.
	USBSerialJTAG
	// USBOTG is the USB console of the ROM of S2, S3 and P4. It is there in
	// download mode only for hosts: nothing but the boot pin leads into it. RTS
	// that falls asks for a reset, and frames have to be short.
	USBOTG
)

// usb reports whether the chip is on the bus itself, without a UART.
func (w Wiring) usb() bool { return w != Bridge }

// Config describes one simulated unit. Only Model is needed.
type Config struct {
	Model    *Model
	MAC      [6]byte
	Flash    *Flash // nil is 8 MiB in memory, blank
	Wiring   Wiring
	Timing   Timing
	Security Security
	Faults   []Fault
	// BootHeld: something holds the boot pin low from power-up on, such as a
	// jig; see Chip.HoldBoot.
	BootHeld bool
	// Logf is told what the chip does, for people; nil is nobody.
	Logf func(format string, args ...any)
}

// Security is what a customer may have burnt into the fuses.
type Security struct {
	SecureBoot, FlashEncryption bool
	SecureDownload              bool // the ROM takes only the commands that give nothing away
}

// State is what the chip is doing.
type State uint8

// The states of a chip.
const (
	Off      State = iota // unplugged, or held in reset
	Starting              // out of reset, not yet anywhere
	Download              // the ROM loader waits for commands
	Stub                  // the flasher stub waits for commands
	App                   // the application runs
	BootLoop              // nothing bootable: the ROM or bootloader tries for ever
	Lost                  // it runs something that will not answer
)

var stateNames = [...]string{"off", "starting", "download", "stub", "app", "boot loop", "lost"}

func (s State) String() string { return stateNames[s] }

// Stats counts what went over a chip's line since it was made.
type Stats struct {
	Commands int   // whole request frames that a loader took
	In, Out  int64 // bytes from and to the host
	Dropped  int64 // bytes that found no frame buffer
	Resets   int
}

// Chip is one simulated unit. Its methods may be called from several goroutines.
type Chip struct {
	cfg   Config
	model *Model
	flash *Flash

	// mu guards what both the host's side and the CPU's touch. It is never
	// held while waiting.
	mu    sync.Mutex
	host  hostSide
	reset resetUnit
	up    line // host to chip
	down  line // chip to host
	baud  int  // the chip's UART
	burst burst
	// autobaud: the ROM measures the host's rate until the first SYNC.
	autobaud bool
	state    State
	changed  chan struct{} // closed at the next change of state
	stats    Stats
	faults   faults
	closed   bool

	wake chan struct{} // bytes for the CPU
	done chan struct{} // the CPU's goroutine has ended

	cpu cpu // only for the CPU's goroutine
}

// New powers a chip up. Close ends it.
func New(cfg Config) *Chip {
	if cfg.Model == nil {
		panic("espsim: Config.Model is nil")
	}
	if cfg.Flash == nil {
		cfg.Flash = NewFlash(8 << 20)
	}
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	c := &Chip{
		cfg: cfg, model: cfg.Model, flash: cfg.Flash,
		changed: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	c.faults.plan(cfg.Faults)
	c.cpu.flash = newFlashChip(c.faults)
	c.reset.powered = true
	c.reset.cause = powerOn
	c.reset.jig = cfg.BootHeld
	go c.run()
	return c
}

// Close takes the power away for good and waits for the chip's goroutine.
func (c *Chip) Close() {
	c.mu.Lock()
	c.closed = true
	c.reset.powered = false
	c.dropPort(ErrDetached)
	c.interrupt()
	c.mu.Unlock()
	<-c.done
}

// Unplug takes the unit off its USB socket: power and port are gone.
func (c *Chip) Unplug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unplug()
}

// unplug is Unplug for callers that hold mu.
func (c *Chip) unplug() {
	c.reset.powered = false
	c.reset.forced = false
	c.host.detached = true
	c.dropPort(ErrDetached)
	c.interrupt()
	c.announce()
}

// Plug connects the unit again; it powers up.
func (c *Chip) Plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reset.powered || c.closed {
		return
	}
	c.host.detached = false
	c.reset.powered = true
	c.reset.cause = powerOn
	c.reset.enLow = false
	c.reset.riseAt = time.Now()
	c.interrupt()
}

// HoldBoot holds the boot pin low, as a jig or a thumb does, or lets it go. The
// chip looks at it at the next reset of the whole system.
func (c *Chip) HoldBoot(held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset.jig = held
}

// Flash returns the chip's flash.
func (c *Chip) Flash() *Flash { return c.flash }

// State returns what the chip is doing.
func (c *Chip) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// BootedApp reports whether the application is running.
func (c *Chip) BootedApp() bool { return c.State() == App }

// Stats returns what went over the line so far.
func (c *Chip) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// await waits until the chip's state is one of those wanted. It returns false
// when that cannot be any more, or stop is closed.
func (c *Chip) await(stop <-chan struct{}, wanted ...State) bool {
	for {
		c.mu.Lock()
		state, changed, detached := c.state, c.changed, c.host.detached
		c.mu.Unlock()
		switch {
		case slices.Contains(wanted, state):
			return true
		case detached:
			return false
		}
		select {
		case <-changed:
		case <-stop:
			return false
		case <-c.done:
			return false
		}
	}
}

// setState is for callers that hold mu.
func (c *Chip) setState(s State) {
	if s == c.state {
		return
	}
	c.state = s
	c.announce()
	c.cfg.Logf("chip: %v", s)
}

// announce wakes those who await a state. Callers hold mu.
func (c *Chip) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// interrupt tells the CPU that power, reset or plug changed. Callers hold mu.
func (c *Chip) interrupt() {
	if c.reset.stop != nil {
		close(c.reset.stop)
		c.reset.stop = nil
	}
}

// errCut is how the program of a chip ends when power or reset take it away.
var errCut = errors.New("espsim: reset")

// restart is how a program ends that resets the chip itself.
type restart struct{ cause resetCause }

func (r restart) Error() string { return "espsim: the chip resets itself" }
