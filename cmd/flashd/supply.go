package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/simrig"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/usbrig"
)

// supply is where units come from: the USB, or a simulated fixture.
type supply interface {
	// Slots are those of the fixture, in order; none: every device is one.
	Slots() []station.Slot
	// Events announces units that come and go.
	Events() <-chan hotplug.Event
	// Open opens the port of a unit.
	Open(context.Context, hotplug.Device) (flasher.Port, error)
	// ResetPort has the port of a unit that gives no sync start afresh.
	ResetPort(context.Context, hotplug.Device) error
	// Run keeps units coming until ctx ends. Those that are there stay.
	Run(context.Context, *station.Station) error
	// Close ends what Run has left, once the station has ended.
	Close()
}

// supply chooses where units come from.
func (s settings) supply(r *firmware.Release, log *slog.Logger) (supply, error) {
	if s.simulate > 0 {
		return s.simulatedFixture(r)
	}
	return s.usbFixture(log), nil
}

func (s settings) usbFixture(log *slog.Logger) supply {
	cfg := usbrig.Config{Accept: hotplug.KnownOr(s.USB.Accept...), Log: log}
	for _, slot := range s.Slots {
		cfg.Slots = append(cfg.Slots, station.Slot{Path: slot.Path, Name: slot.Name})
	}
	return usbrig.New(cfg)
}

// simulatedDir is where the flash of simulated units is kept: beside the state
// directory and not in it, for a unit's flash holds its credentials, and the
// state directory holds none.
func (s settings) simulatedDir() string { return filepath.Clean(s.StateDir) + "-simulated" }

// keptUnits is how many simulated units that have left keep their flash, so
// that a station that runs for days does not fill the disk.
const keptUnits = 32

// mistaken is in how many simulated units that have passed the operator puts one in
// again: with eight slots that is about twice a minute.
const mistaken = 20

func (s settings) simulatedFixture(r *firmware.Release) (supply, error) {
	model, ok := espsim.ModelNamed(r.Chip)
	if !ok {
		return nil, withHint(exitFailure, fmt.Errorf("there is no simulated %s", r.Chip), "Use a release for another chip: flashd image demo NAME --chip esp32s3.")
	}
	wiring, timing, hands := espsim.Bridge, espsim.Timing{}, time.Second
	if model.Console.USBSerialJTAG != 0 {
		wiring = espsim.USBSerialJTAG
	}
	if s.instant {
		hands = time.Millisecond
	} else {
		timing = espsim.Realistic(wiring)
	}
	keep, again := keptUnits, mistaken
	if s.units > 0 {
		keep = 0 // all: somebody will want to look at them
	}
	if s.units > 0 || s.instant {
		again = 0 // what is measured, or tested, is not to be held up
	}
	seed := s.seed
	if s.faults == 0 {
		seed = 0 // other units each time
	}
	rig, err := simrig.New(simrig.Config{
		Troubled: s.faults, Again: again, Seed: seed,
		Slots: s.simulate, Dir: s.simulatedDir(), Model: model, Wiring: wiring,
		Flash: r.FlashSize, Timing: timing, Units: s.units, Hands: hands, Keep: keep,
	})
	if err != nil {
		return nil, withHint(exitFailure, err, "The simulated units are kept in the folder "+s.simulatedDir()+", which flashd has to be able to make and to write: or name another place with --state-dir.")
	}
	return rig, nil
}
