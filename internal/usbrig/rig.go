// Package usbrig is the real fixture: units on the USB of this machine.
package usbrig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/hotplug/libusb"
	"hoptech.co.nz/flashd/internal/serialport"
	"hoptech.co.nz/flashd/internal/station"
)

// Config describes the fixture.
type Config struct {
	Slots  []station.Slot        // in fixture order; none: every device is a slot of its own
	Accept func(hotplug.ID) bool // which devices are units; nil: what hotplug.Known says
	Log    *slog.Logger
}

// Rig is the fixture.
type Rig struct {
	cfg    Config
	sysfs  *hotplug.Sysfs
	events chan hotplug.Event
}

// New makes the fixture known. Run looks after it.
func New(cfg Config) *Rig {
	if cfg.Accept == nil {
		cfg.Accept = hotplug.Known
	}
	anything := func(hotplug.ID) bool { return true }
	return &Rig{cfg: cfg, sysfs: &hotplug.Sysfs{Accept: anything}, events: make(chan hotplug.Event)}
}

// candidates lists units, and whatever else is in a slot.
type candidates struct{ *Rig }

// List implements hotplug.Lister.
func (c candidates) List(ctx context.Context) ([]hotplug.Device, error) {
	devices, err := c.sysfs.List(ctx)
	return slices.DeleteFunc(devices, func(d hotplug.Device) bool {
		isSlot := func(s station.Slot) bool { return s.Path == d.Path }
		return !c.cfg.Accept(d.ID()) && !slices.ContainsFunc(c.cfg.Slots, isSlot)
	}), err
}

// refuse says why what is in a slot is no unit.
func (r *Rig) refuse(d hotplug.Device) error {
	if r.cfg.Accept(d.ID()) {
		return nil
	}
	return fmt.Errorf("%s is not known as a board; if it is one, add %[1]s to usb.accept in flashd.yaml", strings.ToLower(d.ID().String()))
}

// Slots returns the slots of the fixture.
func (r *Rig) Slots() []station.Slot { return r.cfg.Slots }

// Events announces units that come and go.
func (r *Rig) Events() <-chan hotplug.Event { return r.events }

// Open opens the port of a unit, and no other: a tty's name may have gone to
// the unit in another slot before its own was told to be gone.
func (r *Rig) Open(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
	if err := r.sysfs.Confirm(d); err != nil { // so that nobody else's lines are moved
		return nil, fmt.Errorf("%w: %w", flasher.Detached, err)
	}
	port, err := serialport.Open(ctx, d.TTY)
	if err != nil {
		return nil, err
	}
	if err := r.sysfs.Confirm(d); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", flasher.Detached, err), port.Close())
	}
	return port, nil
}

// ResetPort resets a unit's USB device, for which its node has to be ours: see
// deploy/60-flashd.rules. Where the device does not answer, its driver asks it
// several times and waits 5 s each before it lets the kernel reset it; when ctx
// ends meanwhile, the reset is left to itself.
func (r *Rig) ResetPort(ctx context.Context, d hotplug.Device) error {
	done := make(chan error, 1)
	go func() { done <- libusb.Reset(d.Path) }()
	select {
	case err := <-done:
		if errors.Is(err, libusb.ErrNotFound) {
			return fmt.Errorf("%w: %w", flasher.Detached, err)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("reset USB device %s: %w", d.Path, context.Cause(ctx))
	}
}

// Run watches the USB until ctx ends. Where the kernel does not tell of
// changes, a listing every few seconds has to do. A station that cannot have any unit
// says so.
func (r *Rig) Run(ctx context.Context, st *station.Station) error {
	wake, err := hotplug.Uevents(ctx)
	if err != nil {
		r.cfg.Log.Warn("units are noticed some seconds late", "err", err)
	}
	options := hotplug.Options{Refuse: r.refuse, Trouble: st.Unwatched, Log: r.cfg.Log}
	for event := range hotplug.Watch(ctx, candidates{r}, wake, options) {
		select {
		case r.events <- event:
		case <-ctx.Done():
		}
	}
	return nil
}

// Close has nothing to end: real units need nobody.
func (r *Rig) Close() {}
