package flasher

import (
	"context"
	"time"
)

// ESP32P4 boots from 0x2000. Source: esptool/targets/esp32p4.py.
var ESP32P4 = Chip{
	Name: "esp32p4", Title: "ESP32-P4", ImageID: 18,
	BootloaderOffset: 0x2000,
	MACReg:           efuseMAC(0x5012D044),
	SPI:              spiRegs(0x5008D000),
	Watchdogs:        lpWatchdogs(0x50116000, 0x18, 0x1C, true),
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

// esp32p4PowerFlash switches the flash chip on at revision v3.1, which starts
// with it off so as not to put 3.3 V on a chip for 1.8 V (esp32p4.py
// power_on_flash). Which it is stands in the efuses; the last steps take the
// voltage from there.
func esp32p4PowerFlash(ctx context.Context, d *Device) error {
	if r, err := d.Revision(ctx); err != nil || r != 301 {
		return err
	}
	const (
		pads, supplyTest, supply, date = 0x5011010C, 0x501151BC, 0x501151B8, 0x501153FC

		limitCurrent = 1 << 27
		target       = 0xFF << 23
		tieHigh      = 1 << 7
	)
	steps := []struct {
		reg, clear, set uint32
		wait            time.Duration
	}{
		{pads, 0xFFFFFFFF, 1, 10 * time.Millisecond},
		{supplyTest, 0, limitCurrent, 0},
		{supply, 0, tieHigh, 0},
		{date, 0, 3, 50 * time.Microsecond},
		{supplyTest, limitCurrent, 0, 0},
		{supply, target, 0, 0},
		{supply, 0, 0x80, 0},
		{supply, tieHigh, 0, 1800 * time.Microsecond},
	}
	for _, s := range steps {
		value, err := d.readReg(ctx, s.reg)
		if err == nil {
			err = d.writeReg(ctx, s.reg, value&^s.clear|s.set, 0xFFFFFFFF)
		}
		if err == nil {
			err = sleep(ctx, s.wait)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
