package flasher

import (
	"context"
	"time"
)

// recover finds the loader's attention again after something went missing. If
// it is lost, or asking for its attention did not help before, it is started
// afresh, once in a session and at a slower rate.
func (d *Device) recover(ctx context.Context, again bool) error {
	err := error(NoSync)
	if !again {
		if err = d.resync(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	if d.reconnected || d.lineless || d.security.SecureDownload { // which unit comes back would not be known
		return err
	}
	d.reconnected = true
	return d.reconnect(ctx)
}

// A line that was silent for allSaid has nothing more to say; one that goes on
// for mostSaid says what is no answer.
const (
	allSaid  = 100 * time.Millisecond
	mostSaid = 2 * time.Second
)

// resync finds a loader that still runs.
func (d *Device) resync(ctx context.Context) error {
	if err := d.line.settle(ctx, allSaid, mostSaid); err != nil {
		return err
	}
	stub := d.stub
	if err := d.syncTurning(ctx); err != nil {
		return err
	}
	if d.stub != stub { // the chip has restarted, and knows of nothing
		return &Error{Op: "sync", Kind: NoSync}
	}
	d.behind = false
	return nil
}

// reconnect resets the chip and makes it ready again as it was.
func (d *Device) reconnect(ctx context.Context) error {
	stub := d.stub
	d.opts.Baud = slower(d.opts.Baud)
	d.logf("resetting the chip and starting again")
	if err := d.enterAgain(ctx); err != nil {
		return err
	}
	if err := d.restart(ctx, stub); err != nil {
		return err
	}
	return d.AttachFlash(ctx)
}

// restart makes a ROM loader serve at the rate wanted, or start the stub.
func (d *Device) restart(ctx context.Context, stub bool) error {
	if stub {
		return d.StartStub(ctx)
	}
	return d.RaiseBaud(ctx)
}

// enterAgain resets the chip into its ROM loader and makes sure that it still
// is the same unit.
func (d *Device) enterAgain(ctx context.Context) error {
	d.stub, d.stubFrom, d.baud = false, "", initialBaud
	d.behind, d.streaming = false, false
	for _, step := range []func(context.Context) error{d.startRate, d.enterLoader, d.ConfirmMAC, d.prepare} {
		if err := step(ctx); err != nil {
			return opError("reconnect", err)
		}
	}
	return nil
}
