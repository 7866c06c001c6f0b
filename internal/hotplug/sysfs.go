package hotplug

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoUSB is returned when this machine has no USB at all, as is usual in
// containers and virtual machines.
var ErrNoUSB = errors.New("this machine has no USB")

// Sysfs lists boards by what the kernel says in sysfs. The zero value lists
// the Known ones of this machine.
type Sysfs struct {
	Root   string        // of sysfs; "" is /sys
	Dev    string        // where device nodes are; "" is /dev
	Accept func(ID) bool // which devices are boards; nil is Known
}

// List implements Lister. Devices that vanish while it looks are left out.
func (s Sysfs) List(ctx context.Context) ([]Device, error) {
	dir := filepath.Join(cmp.Or(s.Root, "/sys"), "bus/usb/devices")
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no %s", ErrNoUSB, dir)
	case err != nil:
		return nil, fmt.Errorf("list USB devices: %w", err)
	}
	accept := s.Accept
	if accept == nil {
		accept = Known
	}
	var found []Device
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ValidPath(e.Name()) { // a root hub (usb1) or an interface (1-1:1.0)
			continue
		}
		d, err := s.device(filepath.Join(dir, e.Name()))
		if err == nil && accept(d.ID()) {
			found = append(found, d)
		}
	}
	return found, nil
}

// device reads what sysfs has about the device in dir. An error means that it
// is being unplugged.
func (s Sysfs) device(dir string) (Device, error) {
	d := Device{Path: filepath.Base(dir), Serial: text(dir, "serial"), Product: text(dir, "product")}
	for _, a := range []struct {
		name string
		base int
		set  func(uint64)
	}{
		{"idVendor", 16, func(v uint64) { d.VID = uint16(v) }},
		{"idProduct", 16, func(v uint64) { d.PID = uint16(v) }},
		{"busnum", 10, func(v uint64) { d.Bus = int(v) }},
		{"devnum", 10, func(v uint64) { d.Address = int(v) }},
	} {
		v, err := strconv.ParseUint(text(dir, a.name), a.base, 16)
		if err != nil {
			return Device{}, fmt.Errorf("USB device %s: %s: %w", d.Path, a.name, err)
		}
		a.set(v)
	}
	d.TTY = s.tty(dir, d.ID())
	return d, nil
}

// tty finds the device's tty. cdc-acm has it in 1-1.2:1.0/tty/ttyACM0, the
// usb-serial drivers one level deeper in 1-1.2:1.0/ttyUSB0/tty/ttyUSB0.
func (s Sysfs) tty(dir string, id ID) string {
	var names []string
	for _, pattern := range []string{"tty/*", "tty*/tty/*"} {
		found, err := filepath.Glob(filepath.Join(dir, filepath.Base(dir)+":*", pattern))
		if err != nil {
			return "" // only for a malformed pattern
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names) // by interface
	name := names[0]
	if id == ft2232 {
		name = names[len(names)-1]
	}
	return filepath.Join(cmp.Or(s.Dev, "/dev"), filepath.Base(name))
}

// text returns an attribute, or "" if the device has none of that name.
func text(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
