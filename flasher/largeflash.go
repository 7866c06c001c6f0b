package flasher

import (
	"context"
	"fmt"
)

// NarrowFlash is how much flash, in bytes, a loader reaches whose commands have 24
// bits of address. What goes beyond wraps around, over what is at the start of the
// flash and without an error. Only the stub, and for some chips only, has commands
// with 32 (esptool check_flash_size; esp-stub-lib large_flash_mode).
const NarrowFlash = 16 << 20

// reach is how much of the flash the loader can read and write, in bytes.
func (d *Device) reach() int {
	if d.stub && d.chip.LargeFlash {
		return d.flashSize()
	}
	return min(d.flashSize(), NarrowFlash)
}

// beyondReach is about a region that ends where the loader cannot get.
func (d *Device) beyondReach(end int) error {
	if reach := d.reach(); reach < d.flashSize() && end <= d.flashSize() {
		return &Error{Kind: Unsupported, Err: fmt.Errorf("it ends at %#x: the %s's %s reaches only %#x of its flash", end, d.chip.Title, d.Loader(), reach)}
	}
	return &Error{Kind: TooLarge, Err: fmt.Errorf("it ends at %#x, the flash at %#x", end, d.flashSize())}
}

// leaveDeafStub goes back to the ROM loader where the stub would use commands that
// it lacks for this chip: it would write nothing, without an error.
func (d *Device) leaveDeafStub(ctx context.Context) error {
	if !d.stub || d.chip.LargeFlash || d.flashSize() <= NarrowFlash {
		return nil
	}
	why := fmt.Sprintf("the stub for the %s cannot use a flash of more than %d MiB", d.chip.Title, NarrowFlash>>20)
	d.opts.NoStub = true
	if d.lineless {
		return &Error{Kind: Unsupported, Err: fmt.Errorf("%s: reset the chip, and keep to the ROM loader", why)}
	}
	d.logf("using the ROM loader: %s", why)
	if err := d.enterAgain(ctx); err != nil {
		return err
	}
	if err := d.RaiseBaud(ctx); err != nil {
		return err
	}
	return d.attachPins(ctx)
}
