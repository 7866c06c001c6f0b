package libusb

import "errors"

// ErrNotFound is returned when no device is at the path that is to be reset.
var ErrNotFound = errors.New("no device there")
