package hotplug

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// ErrNoUSB is returned when this machine has no USB at all, as is usual in
// containers and virtual machines.
var ErrNoUSB = errors.New("this machine has no USB")

// Sysfs lists boards by what the kernel says in sysfs. The zero value lists
// the Known ones of this machine. It may be used by several goroutines.
type Sysfs struct {
	Root   string        // of sysfs; "" is /sys
	Dev    string        // where device nodes are; "" is /dev
	Accept func(ID) bool // which devices are boards; nil is Known
	// Patient has also the strings of devices without a tty read. The kernel
	// keeps them back while a driver is taking hold of the device, which a
	// bridge that does not answer can draw out for many seconds.
	Patient bool

	mu    sync.Mutex
	known map[string]Device // what the last listing found, by path
}

// List implements Lister. Devices that vanish while it looks are left out.
// Only the strings of devices that are new can make it wait for a device.
func (s *Sysfs) List(ctx context.Context) ([]Device, error) {
	dir := s.devices()
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no %s", ErrNoUSB, dir)
	case err != nil:
		return nil, fmt.Errorf("list USB devices: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	accept := s.Accept
	if accept == nil {
		accept = Known
	}
	known := map[string]Device{}
	var found []Device
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ValidPath(e.Name()) { // a root hub (usb1) or an interface (1-1:1.0)
			continue
		}
		d, err := s.device(e.Name())
		if err != nil || !accept(d.ID()) {
			continue
		}
		s.describe(&d)
		known[d.Path] = d
		found = append(found, d)
	}
	s.known = known
	return found, nil
}

// Confirm returns nil if d is still in its place, with the same tty. An open
// tty keeps its name from being used for another: so who has opened d.TTY and
// then has d confirmed has d's, and not that of a board that got the name after
// d had been pulled out.
func (s *Sysfs) Confirm(d Device) error {
	now, err := s.device(d.Path)
	if err != nil {
		return err
	}
	if !now.isSame(d) || now.TTY != d.TTY {
		return fmt.Errorf("USB device %s: another one is there by now", d.Path)
	}
	return nil
}

// isSame reports whether d and e are one enumeration of one board.
func (d Device) isSame(e Device) bool {
	return d.Path == e.Path && d.Bus == e.Bus && d.Address == e.Address && d.ID() == e.ID()
}

func (s *Sysfs) devices() string { return filepath.Join(cmp.Or(s.Root, "/sys"), "bus/usb/devices") }

// device reads what sysfs has about the device at path, without its strings. An
// error means that it is being unplugged.
func (s *Sysfs) device(path string) (Device, error) {
	dir := filepath.Join(s.devices(), path)
	d := Device{Path: path}
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
			return Device{}, fmt.Errorf("USB device %s: %s: %w", path, a.name, err)
		}
		a.set(v)
	}
	if name := ttyName(dir, d.ID()); name != "" {
		d.TTY = filepath.Join(cmp.Or(s.Dev, "/dev"), name)
	}
	return d, nil
}

// describe adds d's strings. They are read once: the kernel has every reader
// wait while it is busy with the device, so that one which hangs while it is
// being unplugged would hide all others. Callers hold mu.
func (s *Sysfs) describe(d *Device) {
	if old := s.known[d.Path]; old.isSame(*d) && old.TTY != "" {
		d.Serial, d.Product = old.Serial, old.Product
		return
	}
	if d.TTY != "" || s.Patient {
		dir := filepath.Join(s.devices(), d.Path)
		d.Serial, d.Product = text(dir, "serial"), text(dir, "product")
	}
}

// ttyName finds the device's tty. cdc-acm has it in 1-1.2:1.0/tty/ttyACM0, the
// usb-serial drivers one level deeper in 1-1.2:1.0/ttyUSB0/tty/ttyUSB0.
func ttyName(dir string, id ID) string {
	var names []string
	for _, iface := range namesIn(dir, filepath.Base(dir)+":") {
		iface = filepath.Join(dir, iface)
		for _, sub := range namesIn(iface, "tty") {
			if sub == "tty" {
				names = append(names, namesIn(filepath.Join(iface, sub), "")...)
			} else {
				names = append(names, namesIn(filepath.Join(iface, sub, "tty"), "")...)
			}
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case id == ft2232:
		return names[len(names)-1]
	default:
		return names[0]
	}
}

// namesIn returns what is in dir and starts with prefix, sorted.
func namesIn(dir, prefix string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it is being unplugged
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// text returns an attribute, or "" if the device has none of that name.
func text(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
