package flasher

import (
	"context"
	"time"
)

// ESP32P4 boots from 0x2000. Source: esptool/targets/esp32p4.py.
var ESP32P4 = Chip{
	Name: "esp32p4", Title: "ESP32-P4", ImageID: 18, LargeFlash: true,
	BootloaderOffset: 0x2000,
	macReg:           efuseMAC(0x5012D044),
	spi:              usualSPI(0x5008D000),
	watchdogs:        lpWatchdogs(0x50116000, 0x18, 0x1C, true),
	stubName:         esp32p4Stub,
	powerFlash:       esp32p4PowerFlash,
	revision: fusedRevision(
		[]fuses{{0x5012D04C, 0, 4}},
		[]fuses{{0x5012D04C, 4, 2}, {0x5012D04C, 23, 1}},
	),
}

// esp32p4Stub: revision 3 has its RAM elsewhere (esp32p4.py stub_json_name).
func esp32p4Stub(r Revision) string {
	if r < 300 {
		return "esp32p4-rev1"
	}
	return "esp32p4"
}

// Registers that have to do with the flash chip's supply. The low bits of
// p4PowerDate keep it on by force.
const (
	p4Pads, p4SupplyTest, p4Supply, p4PowerDate = 0x5011010C, 0x501151BC, 0x501151B8, 0x501153FC

	p4ForceOn = 3
)

// esp32p4PowerFlash switches the flash chip on where the ROM does not: from
// revision v3.1 on it starts with it off, so as not to put 3.3 V on a chip for
// 1.8 V. Which it is stands in the efuses (esp32p4.py power_on_flash).
func esp32p4PowerFlash(ctx context.Context, d *Device) error {
	r, err := d.Revision(ctx)
	if err != nil || r != 301 && r != 302 {
		return err
	}
	if r == 302 {
		// Where this fuse is burnt the ROM does it, and a ROM that finds the
		// flash kept on by force from an earlier session fails at it.
		const fuses, downloadPowersFlash = 0x5012D034, 1 << 16
		word, err := d.readReg(ctx, fuses)
		if err != nil {
			return err
		}
		if word&downloadPowersFlash != 0 {
			return d.changeReg(ctx, p4PowerDate, p4ForceOn, 0)
		}
	}
	return esp32p4SupplyFlash(ctx, d)
}

// esp32p4SupplyFlash is the sequence that brings the flash chip's supply up; its
// last steps take the voltage from the efuses.
func esp32p4SupplyFlash(ctx context.Context, d *Device) error {
	const (
		limitCurrent = 1 << 27
		target       = 0xFF << 23
		tieHigh      = 1 << 7
		all          = 0xFFFFFFFF
	)
	for _, s := range []struct {
		reg, clear, set uint32
		wait            time.Duration
	}{
		{p4Pads, all, 1, 10 * time.Millisecond},
		{p4SupplyTest, 0, limitCurrent, 0},
		{p4Supply, 0, tieHigh, 0},
		{p4PowerDate, 0, p4ForceOn, 50 * time.Microsecond},
		{p4SupplyTest, limitCurrent, 0, 0},
		{p4Supply, target, 0, 0},
		{p4Supply, 0, tieHigh, 0},
		{p4Supply, tieHigh, 0, 1800 * time.Microsecond},
	} {
		err := d.changeReg(ctx, s.reg, s.clear, s.set)
		if err == nil {
			err = sleep(ctx, s.wait)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
