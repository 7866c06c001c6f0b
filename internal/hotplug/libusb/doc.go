// Package libusb lists boards and resets their ports through libusb, by way of
// github.com/google/gousb. It needs cgo and libusb's headers; built without
// cgo it lists by sysfs alone and resets through usbfs, so the rest of the
// program does not see the difference.
package libusb
