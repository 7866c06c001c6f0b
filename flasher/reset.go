package flasher

import (
	"context"
	"errors"
	"time"
)

// A resetStep sets both lines (true: asserted, pin low) and waits.
type resetStep struct {
	dtr, rts bool
	hold     time.Duration
	// starts: the chip starts in this step. It need not wait longer than until
	// the loader answers, which it does only after it has seen its boot pin.
	starts bool
}

// resetStrategy is a sequence on DTR and RTS that restarts the chip.
type resetStrategy struct {
	name  string
	steps []resetStep
}

// The holds are esptool's (reset.py): long enough for every board's RC on EN.
const (
	resetHold = 100 * time.Millisecond
	bootHold  = 50 * time.Millisecond
	longHold  = 550 * time.Millisecond // boards with a large capacitor on EN
)

// tight resets through the usual two transistors, passing (1,1) so that EN
// does not rise in between (reset.py UnixTightReset).
func tight(hold time.Duration) resetStrategy {
	return resetStrategy{"unix-tight", []resetStep{
		{dtr: false, rts: false},
		{dtr: true, rts: true},
		{dtr: false, rts: true, hold: resetHold},          // EN low
		{dtr: true, rts: false, hold: hold, starts: true}, // IO0 low, EN rises
		{dtr: false, rts: false},
	}}
}

// classic is the sequence for adapters that cannot set both lines at once
// (reset.py ClassicReset).
func classic(hold time.Duration) resetStrategy {
	return resetStrategy{"classic", []resetStep{
		{dtr: false, rts: true, hold: resetHold},
		{dtr: true, rts: true},
		{dtr: true, rts: false, hold: hold, starts: true},
		{dtr: false, rts: false},
	}}
}

// usbHold is tried first on USB-Serial/JTAG, whose lines are registers of the
// chip: nothing has to charge there. It spares a quarter of a second; a chip
// that misses it gets esptool's hold at the next attempt.
const usbHold = 20 * time.Millisecond

// usbJTAG is for the chip's own USB-Serial/JTAG unit, which wants to pass
// (1,1) and never (0,0) on its way (reset.py USBJTAGSerialReset).
func usbJTAG(hold time.Duration) resetStrategy {
	return resetStrategy{"usb-jtag-serial", []resetStep{
		{dtr: false, rts: false, hold: hold},
		{dtr: true, rts: false, hold: hold},
		{dtr: true, rts: true},
		{dtr: false, rts: true, hold: hold},
		{dtr: false, rts: false},
	}}
}

// hard restarts the chip into its application. DTR is released before RTS, or
// the chip would find its boot pin low.
var hard = resetStrategy{"hard", []resetStep{{dtr: false, rts: true, hold: resetHold}, {dtr: false, rts: false}}}

// strategies are the resets to try in turn (loader.py
// _construct_reset_strategy_sequence).
func (d *Device) strategies() ([]resetStrategy, error) {
	switch {
	case d.opts.Reset != "":
		custom, err := parseResetSequence(d.opts.Reset)
		return []resetStrategy{custom}, err
	case d.opts.Wiring == USBSerialJTAG:
		return []resetStrategy{usbJTAG(usbHold), usbJTAG(resetHold)}, nil
	case d.opts.Wiring == USBOTG:
		// The console is there in download mode only, and a reset takes it away.
		return []resetStrategy{{name: "none"}, tight(bootHold)}, nil
	default:
		return []resetStrategy{tight(bootHold), tight(longHold), classic(bootHold), classic(longHold)}, nil
	}
}

// lineTimeout bounds one change of the lines or of the rate: an ioctl on a device that is
// going away can hang for seconds (cp210x: 5 s).
const lineTimeout = 2 * time.Second

// reset plays a sequence and reports whether the loader has answered by its
// end. A port without modem lines is noted and otherwise left in peace: whoever
// wired it has put the chip into download mode.
func (d *Device) reset(ctx context.Context, s resetStrategy) (answered bool, err error) {
	if d.lineless {
		return false, nil
	}
	for _, step := range s.steps {
		err := d.setLines(ctx, step)
		if errors.Is(err, errors.ErrUnsupported) {
			d.lineless = true
			d.logf("the port has no DTR and RTS lines; the chip has to be put into download mode by other means")
			return false, nil
		}
		switch {
		case err == nil && step.starts:
			answered, err = d.syncWithin(ctx, step.hold)
		case err == nil:
			err = sleep(ctx, step.hold)
		}
		if err != nil {
			return false, opError("reset", err)
		}
	}
	return answered, nil
}

func (d *Device) setLines(ctx context.Context, step resetStep) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lineTimeout, Detached)
	defer cancel()
	return d.line.within(ctx, func() error { return d.line.port.SetLines(step.dtr, step.rts) })
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
