package main

import (
	"context"
	"log/slog"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/hotplug/libusb"
	"hoptech.co.nz/flashd/internal/serialport"
	"hoptech.co.nz/flashd/internal/station"
)

// usb is the real fixture.
type usb struct {
	slots  []station.Slot
	lister hotplug.Lister
	log    *slog.Logger
	events chan hotplug.Event
}

func newUSB(cfg *config.Config, log *slog.Logger) *usb {
	u := &usb{
		lister: libusb.New(hotplug.Sysfs{Accept: hotplug.KnownOr(cfg.USB.Accept...)}),
		log:    log, events: make(chan hotplug.Event),
	}
	for _, s := range cfg.Slots {
		u.slots = append(u.slots, station.Slot{Path: s.Path, Name: s.Name})
	}
	return u
}

func (u *usb) Slots() []station.Slot        { return u.slots }
func (u *usb) Events() <-chan hotplug.Event { return u.events }

func (u *usb) Open(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
	return serialport.Open(ctx, d.TTY)
}

// ResetPort resets a board's USB device, for which its node has to be ours: see
// deploy/60-flashd.rules.
func (u *usb) ResetPort(_ context.Context, d hotplug.Device) error { return libusb.Reset(d.Path) }

// Run watches the USB until ctx ends. Where the kernel does not tell of
// changes, a listing every few seconds has to do.
func (u *usb) Run(ctx context.Context, _ *station.Station) error {
	wake, err := hotplug.Uevents(ctx)
	if err != nil {
		u.log.Warn("units are noticed some seconds late", "err", err)
	}
	for event := range hotplug.Watch(ctx, u.lister, wake, hotplug.Options{Log: u.log}) {
		select {
		case u.events <- event:
		case <-ctx.Done():
		}
	}
	return nil
}

// Close has nothing to end: real units need nobody.
func (u *usb) Close() {}
