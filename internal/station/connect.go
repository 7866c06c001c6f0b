package station

import (
	"context"
	"errors"
	"fmt"

	"hoptech.co.nz/flashd/flasher"
)

// connect brings the chip into download mode. Until then a chip with an empty
// flash starts over and over, and leaves the USB each time if it has a USB
// unit of its own.
func (a *attempt) connect(ctx context.Context) error {
	for {
		own := a.port
		err := a.connectOnce(ctx)
		switch {
		case errors.Is(err, flasher.Detached):
		case isDead(err) && a.revive(ctx):
		case err != nil && a.revived:
			return fmt.Errorf("%w; %w", err, errResetTried)
		default:
			return err
		}
		if err := a.comeBack(ctx); err != nil {
			return err
		}
		if a.isOther(own) {
			a.port = own // the other one is begun next
			return flasher.Detached
		}
	}
}

func (a *attempt) connectOnce(ctx context.Context) error {
	port, err := a.openPort(ctx)
	if err != nil {
		return err
	}
	a.dev, err = flasher.Connect(ctx, port, flasher.Options{
		Wiring: flasher.WiringOf(a.port.VID, a.port.PID),
		Baud:   a.Flasher.Baud, NoStub: a.Flasher.NoStub, Reset: a.Flasher.Reset,
		UnverifiedFlash: a.unverifiedFlash(),
		Logf:            func(format string, args ...any) { a.log.Info(fmt.Sprintf(format, args...)) },
	})
	if err == nil {
		bound := a.port
		a.bound.Store(&bound)
	}
	return err
}
