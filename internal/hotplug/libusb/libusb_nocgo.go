//go:build !cgo

package libusb

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// New returns s.
func New(s *hotplug.Sysfs) hotplug.Lister { return s }

// usbdevfsReset is USBDEVFS_RESET of linux/usbdevice_fs.h, _IO('U', 20).
const usbdevfsReset = 'U'<<8 | 20

// Reset makes the device at path start again on the bus, as if it had been
// unplugged and plugged in, but without cutting its power. Its tty may come
// back under another name.
func Reset(path string) error {
	everything := &hotplug.Sysfs{Accept: func(hotplug.ID) bool { return true }}
	devices, err := everything.List(context.Background())
	if err != nil {
		return fmt.Errorf("reset USB device %s: %w", path, err)
	}
	for _, d := range devices {
		if d.Path == path {
			return reset(d)
		}
	}
	return fmt.Errorf("reset USB device %s: %w", path, ErrNotFound)
}

func reset(d hotplug.Device) error {
	f, err := os.OpenFile(fmt.Sprintf("/dev/bus/usb/%03d/%03d", d.Bus, d.Address), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("reset USB device %s: %w", d.Path, err)
	}
	err = unix.IoctlSetInt(int(f.Fd()), usbdevfsReset, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("reset USB device %s: %w", d.Path, err)
	}
	return nil
}
