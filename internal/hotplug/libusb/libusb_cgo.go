//go:build cgo

package libusb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/gousb"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// lister joins what libusb has enumerated with what sysfs knows: strings and
// ttys. Strings could be read by libusb too, but only by opening each device,
// which takes permission and disturbs a chip that is being flashed.
type lister struct{ sysfs *hotplug.Sysfs }

// New returns a lister of the devices that s accepts and that libusb can see.
func New(s *hotplug.Sysfs) hotplug.Lister { return lister{s} }

// address is where a device is on the bus until it enumerates again.
type address struct{ bus, number int }

// List implements hotplug.Lister.
func (l lister) List(ctx context.Context) ([]hotplug.Device, error) {
	// First sysfs: a machine without USB is told in its words.
	devices, err := l.sysfs.List(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := enumerated()
	if err != nil {
		return nil, fmt.Errorf("list USB devices: %w", err)
	}
	// A device in one of the two only is coming or going; the next uevent
	// brings another listing.
	both := devices[:0]
	for _, d := range devices {
		if seen[address{d.Bus, d.Address}] == d.ID() {
			both = append(both, d)
		}
	}
	return both, nil
}

// enumerated returns what libusb sees on the buses.
func enumerated() (_ map[address]hotplug.ID, err error) {
	usb, err := newContext()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, usb.Close()) }()
	seen := map[address]hotplug.ID{}
	_, err = usb.OpenDevices(func(d *gousb.DeviceDesc) bool {
		seen[address{d.Bus, d.Address}] = hotplug.ID{VID: uint16(d.Vendor), PID: uint16(d.Product)}
		return false
	})
	if errors.Is(err, gousb.ErrorNoDevice) {
		err = nil // one of them left meanwhile
	}
	return seen, err
}

// Reset makes the device at path start again on the bus, as if it had been
// unplugged and plugged in, but without cutting its power. Its tty may come
// back under another name.
func Reset(path string) error {
	err := reset(path)
	if err != nil && !errors.Is(err, ErrNotFound) {
		// On a busy bus the kernel gives a reset up now and then; asked again
		// it goes through.
		err = reset(path)
	}
	if err != nil {
		return fmt.Errorf("reset USB device %s: %w", path, err)
	}
	return nil
}

func reset(path string) (err error) {
	usb, err := newContext()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, usb.Close()) }()
	opened, err := usb.OpenDevices(func(d *gousb.DeviceDesc) bool { return pathOf(d) == path })
	if len(opened) == 0 {
		return cmp.Or(err, ErrNotFound)
	}
	for _, d := range opened { // one: a path is one place
		err = d.Reset()
		if errors.Is(err, gousb.ErrorNotFound) {
			err = nil // it has enumerated again, and this handle is of the one before
		}
		err = errors.Join(err, d.Close())
	}
	return err
}

// newContext starts libusb afresh: without udevd a long-lived context never
// learns of a plug or an unplug. It returns the panic of gousb.NewContext,
// when libusb cannot start, as an error.
func newContext() (_ *gousb.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("libusb does not start: %v", r)
		}
	}()
	return gousb.NewContext(), nil
}

// pathOf returns the device's topology path as the kernel writes it.
func pathOf(d *gousb.DeviceDesc) string {
	ports := make([]string, len(d.Path))
	for i, p := range d.Path {
		ports[i] = strconv.Itoa(p)
	}
	return fmt.Sprintf("%d-%s", d.Bus, strings.Join(ports, "."))
}
