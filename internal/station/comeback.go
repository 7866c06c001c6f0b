package station

import (
	"context"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
)

const (
	// absence is how long a unit may be off the USB after a reset: enumeration
	// takes half a second, behind a busy hub some.
	absence = 5 * time.Second
	// eventLag is how much later than the port's failure the kernel's word
	// about it may come.
	eventLag = 100 * time.Millisecond
)

// comeBack waits for a unit that left the USB with a reset, and takes the port
// that it comes back with. One that stays away was taken out.
func (a *attempt) comeBack(ctx context.Context) error {
	select {
	case <-time.After(eventLag):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, absence, flasher.Detached)
	defer cancel()
	device, err := a.slot.presence.until(ctx, present)
	if err == nil {
		a.port = *device
	}
	return err
}

// mayLeave reports whether a chip's reset may take its port off the USB: that
// of a USB unit of its own. A bridge stays.
func (a *attempt) mayLeave() bool {
	return flasher.WiringOf(a.port.VID, a.port.PID) != flasher.UART
}

// isBack waits for a unit that left the USB, and reports whether it came back
// and not, as far as can be told, another one.
func (a *attempt) isBack(ctx context.Context) bool {
	own := a.port
	if a.comeBack(ctx) != nil {
		return false
	}
	mac, known := serialMAC(a.port)
	if known && mac != a.dev.MAC() || isBridge(a.port) {
		a.port = own // the other one is begun next
		return false
	}
	return true
}

// isBridge reports whether d is a bridge: no chip's own USB unit turns into one.
func isBridge(d hotplug.Device) bool { return d.VID != hotplug.Espressif && hotplug.Known(d.ID()) }

// isOther reports whether the unit that came back is, as far as USB tells,
// another one than that which was at own. A bridge stays in its place unless it
// is pulled out; a reset may have it enumerate anew.
func (a *attempt) isOther(own hotplug.Device) bool {
	if isBridge(own) || isBridge(a.port) {
		return a.port.ID() != own.ID() || a.port.Address != own.Address && !a.revived
	}
	was, knew := serialMAC(own)
	is, knows := serialMAC(a.port)
	return knew && knows && was != is
}

// serialMAC returns the MAC of the unit at d where USB knows it: it is the
// serial number of a chip's USB-Serial/JTAG.
func serialMAC(d hotplug.Device) (_ flasher.MAC, known bool) {
	if flasher.WiringOf(d.VID, d.PID) != flasher.USBSerialJTAG {
		return flasher.MAC{}, false
	}
	mac, err := flasher.ParseMAC(d.Serial)
	return mac, err == nil
}

// lateWord is how long the kernel may take to tell of a unit that was taken out
// in the middle of a request to its bridge: it waits for the answer first, 5 s
// on a cp210x.
const lateWord = 6 * time.Second

// departs reports whether the unit, whose port has failed, turns out to have
// been taken out.
func (a *attempt) departs(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lateWord)
	defer cancel()
	_, err := a.slot.presence.until(ctx, other(a.port))
	return err == nil
}
