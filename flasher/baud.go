package flasher

import (
	"context"
	"time"
)

// afterBaud is how long both ends take to settle at a new rate (esptool: 50
// ms; the stub needs 10).
const afterBaud = 20 * time.Millisecond

// slowerRates are those to fall back to, in bits per second, where a line does
// not carry what was asked for.
var slowerRates = []int{921600, 460800, initialBaud}

// slower returns the next rate below baud.
func slower(baud int) int {
	for _, rate := range slowerRates {
		if rate < baud {
			return rate
		}
	}
	return baud
}

// RaiseBaud takes a UART to the rate that Options.Baud asks for, or to one that
// the line carries. StartStub does so too; call RaiseBaud for a session that
// is too short to pay for uploading a stub.
func (d *Device) RaiseBaud(ctx context.Context) error {
	for {
		err := opError("change baud rate", d.changeBaud(ctx, d.opts.Baud))
		if err == nil {
			return nil
		}
		if err = d.fallBack(ctx, err); err != nil {
			return err
		}
	}
}

// fallBack settles for a slower rate after a failure that the line's rate may
// have caused; it returns any other failure as it is. The chip may be listening
// at a rate that it does not understand: only a reset gets it back, and with it
// goes the stub.
func (d *Device) fallBack(ctx context.Context, err error) error {
	if d.lineless || d.security.SecureDownload || d.baud <= initialBaud || ctx.Err() != nil {
		return err
	}
	switch kindOf(err) {
	case NoSync, Timeout, BadFrame, Rejected:
	default:
		return err
	}
	d.opts.Baud = slower(d.baud)
	d.logf("the line does not carry %d baud (%v); trying %d", d.baud, err, d.opts.Baud)
	return d.enterAgain(ctx)
}

// changeBaud takes both ends to a rate. If the line does not carry it, the
// error is NoSync and the chip can be had back by a reset only.
func (d *Device) changeBaud(ctx context.Context, want int) error {
	if want == 0 || want == d.baud || d.fixed || d.opts.Wiring != UART {
		return nil
	}
	ask, old := uint32(want), uint32(d.baud)
	if !d.stub {
		old = 0 // a ROM has measured it
		if d.chip.romBaud != nil {
			if d.security.SecureDownload {
				return nil // what its ROM takes its crystal for does not come out (esp32c2.py, esp32c5.py)
			}
			var err error
			if ask, err = d.chip.romBaud(d.reader(ctx), ask); err != nil || ask == 0 {
				return err // this ROM would miss the rate; its stub will not
			}
		}
	}
	if err := d.simple(ctx, ChangeBaudrate, defaultTimeout, ask, old); err != nil {
		return err
	}
	if err := d.setPortBaud(ctx, want); err != nil {
		return err
	}
	if err := sleep(ctx, afterBaud); err != nil {
		return err
	}
	d.line.discard() // what was half sent at the old rate
	return d.syncFor(ctx, syncsAfterBaud...)
}

// setPortBaud changes the rate of the host's end.
func (d *Device) setPortBaud(ctx context.Context, baud int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lineTimeout, Detached)
	defer cancel()
	err := d.line.within(ctx, func() error { return d.line.port.SetBaud(baud) })
	if err == nil {
		d.baud = baud
	}
	return err
}

// crystalMHz finds a chip's crystal from the divider by which its UART makes the
// rate of the host (loader.py get_crystal_freq).
func crystalMHz(read regReader, divider uint32) (int, error) {
	const mask = 0xFFFFF
	value, err := read(divider)
	if err != nil {
		return 0, err
	}
	switch mhz := int(value&mask) * initialBaud / 1_000_000; {
	case mhz > 45:
		return 48, nil
	case mhz > 33:
		return 40, nil
	default:
		return 26, nil
	}
}
