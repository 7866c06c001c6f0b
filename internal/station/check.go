package station

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hoptech.co.nz/flashd/flasher"
)

// What the gateway firmware prints when it starts.
const (
	saysDeviceID       = "Device ID: "
	saysNotProvisioned = "No configuration found in flash."
)

// afterID is how long a unit that has said its Device ID may still complain
// that it finds no configuration.
const afterID = 500 * time.Millisecond

// The causes that end the listening.
var (
	errSilent = errors.New("the unit did not say its Device ID")
	errQuiet  = errors.New("the unit has nothing more to say")
)

// reboot starts what was written. A port without a reset line leaves that to
// whoever holds the board, and the boot check with it.
func (a *attempt) reboot(ctx context.Context) error {
	if a.mayLeave() {
		a.bound.Store(nil)
	}
	err := a.dev.Reboot(ctx)
	if !a.dev.HasResetLine() {
		a.result.BootCheckOff = true
		if a.BootCheck.Enabled {
			a.note("The port has no reset line, so the boot check is left out.")
		}
		if errors.Is(err, flasher.Unsupported) {
			return nil
		}
	}
	if errors.Is(err, flasher.Detached) {
		return nil // a USB device of its own goes away with its chip; check waits for it
	}
	return err
}

// check listens to the unit start: it has to say its own Device ID, and must
// not say that it finds no configuration.
func (a *attempt) check(ctx context.Context) error {
	if !a.BootCheck.Enabled || a.result.BootCheckOff {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.BootCheck.Limit, errSilent)
	defer cancel()
	own := a.port
	err := a.listen(ctx)
	for errors.Is(err, flasher.Detached) && a.isBack(ctx) {
		if err = a.reopen(ctx); err == nil {
			err = a.listen(ctx)
		}
	}
	_, known := serialMAC(a.port)
	switch {
	case kindOf(err) == kindWrongID && a.port != own && !known:
		a.port = own // the other one is begun next
		return &fault{string(flasher.WrongUnit), err}
	case errors.Is(err, errSilent) && a.port != own && !known:
		// It may be another one, which had said everything before it was heard.
		return fmt.Errorf("%w: %w on the port that came in the place of its own", flasher.Detached, errSilent)
	case errors.Is(err, errSilent):
		return &fault{kindSilent, fmt.Errorf("%w within %v", errSilent, a.BootCheck.Limit)}
	case err == nil:
		a.result.BootChecked = true
	}
	return err
}

// reopen listens on the port that the unit came back with after its reset. It
// has started without a listener, so one that is known to be the same is
// started once more.
func (a *attempt) reopen(ctx context.Context) error {
	port, err := a.openPort(ctx)
	if err != nil {
		return err
	}
	if err := a.dev.Reopen(port); err != nil {
		return err
	}
	if _, known := serialMAC(a.port); known {
		return a.dev.Restart(ctx)
	}
	return nil
}

// listen waits for the Device ID, and then a moment for the unit to take it
// back.
func (a *attempt) listen(ctx context.Context) error {
	for {
		line, err := a.line(ctx)
		if err != nil {
			return err
		}
		if said, ok := deviceIDIn(line); ok {
			if want := a.dev.MAC().DeviceID(); said != want {
				return &fault{kindWrongID, fmt.Errorf("the unit calls itself %s and is %s", said, want)}
			}
			return a.listenOn(ctx)
		}
	}
}

func (a *attempt) listenOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, afterID, errQuiet)
	defer cancel()
	for {
		_, err := a.line(ctx)
		if errors.Is(err, errQuiet) || errors.Is(err, errSilent) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// line returns the next line that the unit prints, unless it is a complaint.
func (a *attempt) line(ctx context.Context) (string, error) {
	line, err := a.dev.Line(ctx)
	if err == nil && strings.Contains(line, saysNotProvisioned) {
		err = &fault{kindUnprovisioned, fmt.Errorf("the unit says: %s", saysNotProvisioned)}
	}
	return line, err
}

// deviceIDIn finds a whole Device ID in a line of the boot log.
func deviceIDIn(line string) (string, bool) {
	_, after, ok := strings.Cut(line, saysDeviceID)
	if !ok {
		return "", false
	}
	id, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	if _, err := flasher.ParseMAC(id); err != nil || len(id) != 12 {
		return "", false
	}
	return id, true
}
