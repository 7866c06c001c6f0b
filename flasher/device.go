package flasher

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Options say how to reach a chip. The zero value is good for a USB bridge.
type Options struct {
	// Wiring is how the port's modem lines reach the chip.
	Wiring Wiring
	// Baud is the rate to raise a UART to, in bits per second; 0 stays at
	// 115200, which every ROM starts with.
	Baud int
	// NoStub keeps to the ROM loader: slower, but nothing runs on the chip
	// that it was not made with.
	NoStub bool
	// Reset is how to bring a board into download mode whose lines are wired
	// otherwise; see CheckResetSequence. "" is what goes with Wiring.
	Reset string
	// UnverifiedFlash, if not 0, is how many bytes of flash a chip in secure
	// download mode is taken to have, and has Identify not refuse such a chip.
	// It can be written, but has no MAC, and all that would verify a write ends
	// with Unverifiable.
	UnverifiedFlash int
	// Logf, if set, is told of what is worth knowing and not an error.
	Logf func(format string, args ...any)
}

// Device is a chip in download mode, ready for commands. It is not safe for
// concurrent use.
type Device struct {
	line     *transport
	opts     Options
	lineless bool // the port has no modem lines
	fixed    bool // the port has no baud rate
	baud     int  // of the port now

	chip     *Chip
	mac      MAC
	security Security
	stub     bool   // the stub runs, not the ROM
	stubFrom string // where it comes from
	flash    FlashID

	written     int64 // flash bytes
	reconnected bool  // after a loader was lost, which is done once
	behind      bool  // a command was given up: its answer may still come
	unanswered  bool  // a SYNC was given up: its answers may still come
	streaming   bool  // the stub was left in the middle of a read

	owedUntil time.Time // when the command that was given up would have been out of time
}

// initialBaud is the rate at which ROM loaders find the host's rate by
// themselves, and at which they print their boot log.
const initialBaud = 115200

// Chip returns the kind of chip.
func (d *Device) Chip() *Chip { return d.chip }

// MAC returns the base MAC address in the chip's efuses; zero for a chip in
// secure download mode.
func (d *Device) MAC() MAC { return d.mac }

// Security returns which protections are burnt into the chip.
func (d *Device) Security() Security { return d.security }

// Flash returns the ID of the flash chip; zero before AttachFlash.
func (d *Device) Flash() FlashID { return d.flash }

// Written returns how many bytes of flash this session has written: those of all
// segments, and parts of segments, that went through.
func (d *Device) Written() int64 { return d.written }

// HasResetLine reports whether Reboot can restart the chip by its reset pin.
func (d *Device) HasResetLine() bool { return !d.lineless }

// Loader says what answers commands: "ROM", or "stub" with its version.
func (d *Device) Loader() string {
	if d.stub {
		return "stub " + cmp.Or(d.stubFrom, "found running")
	}
	return "ROM"
}

// Close gives the port back. The chip stays as it is.
func (d *Device) Close() error { return d.line.close() }

func (d *Device) logf(format string, args ...any) {
	if d.opts.Logf != nil {
		d.opts.Logf(format, args...)
	}
}

// Open brings the chip behind port into download mode, identifies it, starts
// the stub where there is one for it, raises the baud rate and attaches the
// flash: everything up to the first write, which it leaves to the caller.
//
// The Device owns port from then on, and closes it if Open fails.
func Open(ctx context.Context, port Port, opts Options) (*Device, error) {
	d, err := Connect(ctx, port, opts)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{d.Identify, d.StartStub, d.AttachFlash} {
		if err := step(ctx); err != nil {
			return nil, closeAfter(d, err)
		}
	}
	return d, nil
}

func closeAfter(d *Device, err error) error {
	if cerr := d.Close(); cerr != nil {
		return fmt.Errorf("%w (and the port does not close: %v)", err, cerr) //nolint:errorlint // the first error is the one to ask for
	}
	return err
}
