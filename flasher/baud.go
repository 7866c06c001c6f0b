package flasher

import (
	"context"
	"time"
)

// afterBaud is how long both ends take to settle at a new rate (esptool: 50
// ms; the stub needs 10).
const afterBaud = 20 * time.Millisecond

// raiseBaud takes a UART to the rate that the options ask for. If the line
// does not carry it, the chip is lost for this session and the error says so.
func (d *Device) raiseBaud(ctx context.Context) error {
	want := d.opts.Baud
	if want == 0 || want == d.baud || d.fixed || d.opts.Wiring != UART {
		return nil
	}
	if d.chip.rcClocked && !d.stub {
		return nil // this ROM would miss the rate; its stub will not
	}
	var old uint32 // 0 for a ROM, which measured it
	if d.stub {
		old = uint32(d.baud)
	}
	if err := d.simple(ctx, ChangeBaudrate, defaultTimeout, uint32(want), old); err != nil {
		return opError("change baud rate", err)
	}
	if err := d.line.within(ctx, func() error { return d.line.port.SetBaud(want) }); err != nil {
		return opError("change baud rate", err)
	}
	d.baud = want
	if err := sleep(ctx, afterBaud); err != nil {
		return opError("change baud rate", err)
	}
	d.line.discard() // what was half sent at the old rate
	return opError("change baud rate", d.sync(ctx))
}
