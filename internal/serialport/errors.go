package serialport

import (
	"errors"
	"fmt"

	"hoptech.co.nz/flashd/flasher"
)

// ErrBusy is returned when another process, or another part of this one, has
// the port open. The error's text names the holder where it may be known.
var ErrBusy = errors.New("the port is in use")

// A DetachedError is returned when the device behind a port is gone: the cable
// was pulled, the chip re-enumerated, or the far end closed the connection.
// errors.Is(err, flasher.Detached) holds for it.
type DetachedError struct {
	Port string // the path or address that was opened
	Err  error  // what the kernel said, or nil
}

// Error implements error.
func (e *DetachedError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: the device is gone", e.Port)
	}
	return fmt.Sprintf("%s: the device is gone: %v", e.Port, e.Err)
}

// Detached reports true: this kind of failure is the cable's, not the chip's.
func (*DetachedError) Detached() bool { return true }

// Is reports whether target is flasher.Detached.
func (*DetachedError) Is(target error) bool { return target == flasher.Detached }

// Unwrap returns what the kernel said.
func (e *DetachedError) Unwrap() error { return e.Err }
