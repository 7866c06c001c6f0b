package simrig

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
)

// Config describes the fixture.
type Config struct {
	Slots  int            // how many
	Dir    string         // where the units' flash is kept
	Model  *espsim.Model  // of all units
	Wiring espsim.Wiring  // of all units
	Flash  int            // size of a unit's flash, in bytes
	Timing espsim.Timing  //
	Faults []espsim.Fault // that every unit has
	Units  int            // put in no more than it takes to finish that many; 0: no end
	Hands  time.Duration  // how long the operator takes for a movement
	Keep   int            // units whose flash is kept after they leave; 0: all

	Troubled float64 // share of the units that have something wrong with them, 0 to 1
	Again    int     // one in so many units that have passed is put in once more; 0: none
	Seed     uint64  // of which those are, and of the first unit's MAC; 0: any MAC
}

// Rig is the fixture.
type Rig struct {
	cfg    Config
	events chan hotplug.Event

	mu      sync.Mutex
	shelf   *shelf
	units   map[string]*unit     // by path
	met     map[flasher.MAC]bool // units in trouble that were put in before
	address int                  // of the last enumeration
}

// unit is a simulated gateway in a slot.
type unit struct {
	mac  flasher.MAC
	chip *espsim.Chip
	port hotplug.Device
}

// New makes the fixture. Units of an earlier run are in their slots again.
func New(cfg Config) (*Rig, error) {
	shelf, err := openShelf(cfg.Dir, cfg.firstMAC())
	if err != nil {
		return nil, fmt.Errorf("simulated fixture: %w", err)
	}
	return &Rig{cfg: cfg, events: make(chan hotplug.Event, cfg.Slots), shelf: shelf, units: map[string]*unit{}, met: map[flasher.MAC]bool{}}, nil
}

// Slots returns the slots of the fixture.
func (r *Rig) Slots() []station.Slot {
	slots := make([]station.Slot, r.cfg.Slots)
	for i := range slots {
		// As behind hubs of eight ports.
		slots[i] = station.Slot{Path: fmt.Sprintf("1-%d.%d", i/8+1, i%8+1), Name: fmt.Sprint(i + 1)}
	}
	return slots
}

// Events announces units that come and go.
func (r *Rig) Events() <-chan hotplug.Event { return r.events }

// Open opens the port of a unit.
func (r *Rig) Open(_ context.Context, device hotplug.Device) (flasher.Port, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.units[device.Path]
	if !ok || u.port != device {
		return nil, flasher.Detached
	}
	return u.chip.Open()
}

// ResetPort does nothing: a simulated port has no USB device that could lose
// its way.
func (r *Rig) ResetPort(context.Context, hotplug.Device) error { return nil }

// Run has the operator tend the fixture, by what the board says, until ctx
// ends. The units that are in the slots then go on.
func (r *Rig) Run(ctx context.Context, board *station.Station) error {
	look := time.NewTicker(max(r.cfg.Hands/4, time.Millisecond))
	defer look.Stop()
	for {
		for _, s := range board.View().Slots {
			if err := r.tend(ctx, s, board); err != nil {
				return err
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// tend changes the unit in a slot when it is done. Every movement takes the
// operator a moment.
func (r *Rig) tend(ctx context.Context, s station.SlotView, board *station.Station) error {
	if time.Since(s.Since) < r.cfg.Hands {
		return nil
	}
	slot := station.Slot{Path: s.Path, Name: s.Name}
	switch s.State {
	case station.Passed:
		if mac, ok := r.unitIn(slot); ok && r.cfg.comesBack(mac) {
			r.Unplug(ctx, slot)
		} else {
			r.remove(ctx, slot)
		}
	case station.Failed, station.Refused:
		r.remove(ctx, slot)
	case station.Errored:
		r.Unplug(ctx, slot) // to be put in again
	case station.Empty:
		if _, occupied := r.unitIn(slot); !occupied {
			return r.insert(ctx, slot, board.View())
		}
	}
	return nil
}

// unitIn returns the unit that is in a slot, if there is one.
func (r *Rig) unitIn(slot station.Slot) (mac flasher.MAC, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.units[slot.Path]
	if ok {
		mac = u.mac
	}
	return mac, ok
}

// insert puts a unit into a slot: the one that an earlier run left there or that is
// put in again, or a new one while more are wanted.
func (r *Rig) insert(ctx context.Context, slot station.Slot, view station.View) error {
	r.mu.Lock()
	mac, left := r.shelf.inSlot(slot.Path)
	if !left {
		if r.cfg.Units > 0 && view.Totals.Units+r.unfinished(view) >= r.cfg.Units {
			r.mu.Unlock()
			return nil
		}
		var err error
		if mac, err = r.shelf.take(slot.Path); err != nil {
			r.mu.Unlock()
			return err
		}
	}
	u, err := r.plug(slot, mac)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	r.announce(ctx, hotplug.Attach, u.port)
	return nil
}

// unfinished counts the units in slots that are not done.
func (r *Rig) unfinished(view station.View) (n int) {
	for _, s := range view.Slots {
		done := s.State == station.Passed || s.State == station.Failed || s.State == station.Refused
		if r.units[s.Path] != nil && !done {
			n++
		}
	}
	return n
}

// Plug puts a unit into a slot by hand, instead of the operator that Run is. It
// has faults of its own beside those that all units have.
func (r *Rig) Plug(ctx context.Context, slot station.Slot, mac flasher.MAC, faults ...espsim.Fault) error {
	r.mu.Lock()
	u, err := r.plug(slot, mac, faults...)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	r.announce(ctx, hotplug.Attach, u.port)
	return nil
}

// Unplug takes the unit out of a slot, if there is one.
func (r *Rig) Unplug(ctx context.Context, slot station.Slot) { r.unplug(ctx, slot) }

// plug makes the unit with that MAC, as it was, and enumerates it.
func (r *Rig) plug(slot station.Slot, mac flasher.MAC, faults ...espsim.Fault) (*unit, error) {
	flash, err := espsim.OpenFlash(r.shelf.flashFile(mac), r.cfg.Flash)
	if err != nil {
		return nil, fmt.Errorf("simulated unit %s: %w", mac.DeviceID(), err)
	}
	r.address++
	u := &unit{
		mac: mac,
		chip: espsim.New(espsim.Config{
			Model: r.cfg.Model, MAC: mac, Flash: flash, Wiring: r.cfg.Wiring,
			Timing: r.cfg.Timing, Faults: slices.Concat(r.faultsOf(mac), faults),
		}),
		port: usbDevice(r.cfg.Wiring, slot.Path, mac, r.address),
	}
	r.units[slot.Path] = u
	return u, nil
}

// usbDevice is what the kernel would see.
func usbDevice(w espsim.Wiring, path string, mac flasher.MAC, address int) hotplug.Device {
	d := hotplug.Device{Path: path, TTY: "sim:" + path, Bus: 1, Address: address}
	if w == espsim.USBSerialJTAG {
		d.VID, d.PID, d.Serial, d.Product = 0x303A, 0x1001, mac.String(), "USB JTAG/serial debug unit"
	} else {
		d.VID, d.PID, d.Serial, d.Product = 0x10C4, 0xEA60, "0001", "CP2102 USB to UART Bridge Controller"
	}
	return d
}

// remove takes a unit that is done out of its slot, for good.
func (r *Rig) remove(ctx context.Context, slot station.Slot) {
	if u := r.unplug(ctx, slot); u != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.shelf.putBack(slot.Path, u.mac, r.cfg.Keep)
	}
}

func (r *Rig) unplug(ctx context.Context, slot station.Slot) *unit {
	r.mu.Lock()
	u := r.units[slot.Path]
	delete(r.units, slot.Path)
	r.mu.Unlock()
	if u == nil {
		return nil
	}
	u.chip.Unplug()
	u.chip.Close()
	r.announce(ctx, hotplug.Detach, u.port)
	return u
}

func (r *Rig) announce(ctx context.Context, kind hotplug.EventKind, d hotplug.Device) {
	select {
	case r.events <- hotplug.Event{Kind: kind, Device: d}:
	case <-ctx.Done():
	}
}

// Close switches the units off that are in the slots. They stay there for the
// next run.
func (r *Rig) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.units {
		u.chip.Close()
	}
}
