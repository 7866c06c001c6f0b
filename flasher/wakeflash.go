package flasher

import (
	"context"
	"fmt"
	"time"
)

// wakeFlash learns which flash chip there is and brings it into the state in
// which it powers up, as esptool does before each use (cmds.py attach_flash).
func (d *Device) wakeFlash(ctx context.Context) error {
	return d.onSPIBus(ctx, func(bus spiBus) (err error) {
		if d.flash, err = d.flashID(ctx, bus); err != nil {
			return err
		}
		if err := d.startXMC(ctx, bus); err != nil {
			return err
		}
		// The application may have left the flash chip in a mode in which the ROM
		// cannot boot from it.
		if err := bus.send(ctx, resetEnable); err != nil {
			return err
		}
		if err := bus.send(ctx, resetFlash); err != nil {
			return err
		}
		return sleep(ctx, time.Millisecond)
	})
}

// flashID reads the flash chip's ID, twice where a bit may flip on the way: else
// that would make it one of another size.
func (d *Device) flashID(ctx context.Context, bus spiBus) (FlashID, error) {
	id, err := bus.id(ctx)
	if err != nil || !d.unguarded() {
		return id, err
	}
	again, err := bus.id(ctx)
	if err == nil && again != id {
		err = &Error{Kind: BadFrame, Err: fmt.Errorf("the flash chip says that it is %q, and then %q", id, again)}
	}
	return again, err
}

// xmc is the manufacturer ID of XMC (Wuhan Xinxin).
const xmc = 0x20

// startXMC starts a flash chip of XMC again that has failed to start with the
// supply, as the XM25QHxxC do at times: it gives a wrong ID then and does not
// work reliably, but its SFDP table still names its maker (cmds.py
// flash_xmc_startup; esp-idf bootloader_flash_xmc_startup).
func (d *Device) startXMC(ctx context.Context, bus spiBus) error {
	const maker = 0x10 // where the SFDP header names it
	if d.flash.startedXMC() {
		return nil
	}
	made, err := bus.sfdp(ctx, maker)
	if err != nil || made != xmc {
		return err
	}
	d.logf("the flash chip of XMC has not started properly (it says that it is %q); starting it again", d.flash)
	const ultraDeepDown, leaveUltraDeepDown = 0x79, 0xFF
	for _, step := range []struct {
		opcode uint32
		wait   time.Duration
	}{
		{powerDown, 0},
		{ultraDeepDown, 0},
		{leaveUltraDeepDown, 2 * time.Millisecond},
		{releasePower, 20 * time.Microsecond},
	} {
		if err := bus.send(ctx, step.opcode); err != nil {
			return err
		}
		if err := sleep(ctx, step.wait); err != nil {
			return err
		}
	}
	if d.flash, err = d.flashID(ctx, bus); err == nil && !d.flash.startedXMC() {
		err = &Error{Kind: BadFlash, Err: fmt.Errorf("the flash chip of XMC does not start properly: it says that it is %q", d.flash)}
	}
	return err
}

// startedXMC reports whether id is one that an XMC flash chip gives when it has
// started properly (cmds.py is_xmc_chip_strict).
func (id FlashID) startedXMC() bool {
	maker, family, capacity := id&0xFF, id>>8&0xFF, id>>16&0xFF
	if maker != xmc {
		return false
	}
	switch family {
	case 0x40:
		return capacity >= 0x13 && capacity <= 0x20
	case 0x41:
		return capacity >= 0x17 && capacity <= 0x20
	case 0x50:
		return capacity == 0x15 || capacity == 0x16
	default:
		return false
	}
}
