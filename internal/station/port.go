package station

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
)

// openLimit is how long a port may take to open. Opening takes milliseconds;
// where it takes longer, a bridge does not answer the kernel.
const openLimit = 5 * time.Second

// openPort opens the unit's port, in time for it to be reset where that hangs.
func (a *attempt) openPort(ctx context.Context) (flasher.Port, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openLimit, fmt.Errorf("%w: the port did not open within %v", flasher.IO, openLimit))
	defer cancel()
	port, err := a.Open(ctx, a.port)
	if err != nil {
		return nil, a.portFault(err)
	}
	a.missing = missing{}
	return port, nil
}

// portFault is for a port that cannot be opened although it is there. One that is
// missing has left the USB with a reset, until it has been so for too long.
func (a *attempt) portFault(err error) error {
	var k flasher.Kind
	switch {
	case errors.As(err, &k):
		return err
	case errors.Is(err, fs.ErrNotExist) && a.missing.lately(a.port):
		return fmt.Errorf("%w: %w", flasher.Detached, err)
	}
	return &fault{kindPort, fmt.Errorf("the port cannot be opened: %w", err)}
}

// missing is since when the port of a device is not there, although nobody has told
// that the device has gone: where nothing watches the USB nobody does.
type missing struct {
	device hotplug.Device
	since  time.Time
}

// lately reports whether the port of d may still come back.
func (m *missing) lately(d hotplug.Device) bool {
	if m.since.IsZero() || m.device != d {
		*m = missing{d, time.Now()}
	}
	return time.Since(m.since) < absence
}
