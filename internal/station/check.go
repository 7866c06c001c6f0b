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

// check listens to the unit start: it has to say its own Device ID, and must
// not say that it finds no configuration.
func (a *attempt) check(ctx context.Context) error {
	if !a.BootCheck.Enabled || a.result.BootCheckOff {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.BootCheck.Limit, errSilent)
	defer cancel()
	for {
		err := a.listen(ctx)
		if !errors.Is(err, flasher.Detached) {
			return err
		}
		if err := a.follow(ctx); err != nil {
			return err
		}
	}
}

// errSilent is the cause when a unit says nothing that counts.
var errSilent = errors.New("the unit did not say its Device ID")

func (a *attempt) listen(ctx context.Context) error {
	for {
		line, err := a.dev.Line(ctx)
		switch {
		case errors.Is(err, errSilent):
			return &fault{kindSilent, fmt.Errorf("%w within %v", errSilent, a.BootCheck.Limit)}
		case err != nil:
			return err
		case strings.Contains(line, saysNotProvisioned):
			return &fault{kindUnprovisioned, fmt.Errorf("the unit says: %s", saysNotProvisioned)}
		}
		if said, ok := deviceIDIn(line); ok {
			if want := a.dev.MAC().DeviceID(); said != want {
				return &fault{kindWrongID, fmt.Errorf("the unit calls itself %s and is %s", said, want)}
			}
			return a.listenOn(ctx)
		}
	}
}

// listenOn gives the unit a moment to take it back.
func (a *attempt) listenOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, afterID, errQuiet)
	defer cancel()
	for {
		line, err := a.dev.Line(ctx)
		if err != nil && (errors.Is(err, errQuiet) || errors.Is(err, errSilent)) {
			a.result.BootChecked = true
			return nil
		}
		if err != nil {
			return err
		}
		if strings.Contains(line, saysNotProvisioned) {
			return &fault{kindUnprovisioned, fmt.Errorf("the unit says: %s", saysNotProvisioned)}
		}
	}
}

var errQuiet = errors.New("nothing more to hear")

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

// comeBack is how long a unit may be off the USB after its reset: enumeration
// takes half a second, behind a busy hub some.
const comeBack = 5 * time.Second

// follow waits for a unit that left the USB with its reset, and listens on the
// port that it comes back with. One that stays away was taken out.
func (a *attempt) follow(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, comeBack, flasher.Detached)
	defer cancel()
	if _, err := a.slot.presence.until(limited, other(a.port)); err != nil {
		return err
	}
	device, err := a.slot.presence.until(limited, present)
	if err != nil {
		return err
	}
	port, err := a.Open(ctx, *device)
	if err != nil {
		return err
	}
	a.port = *device
	return a.dev.Reopen(port)
}
