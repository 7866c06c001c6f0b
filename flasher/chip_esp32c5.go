package flasher

// ESP32C5 boots from 0x2000. Source: esptool/targets/esp32c5.py.
var ESP32C5 = Chip{
	Name: "esp32c5", Title: "ESP32-C5", ImageID: 23, LargeFlash: true,
	BootloaderOffset: 0x2000,
	macReg:           efuseMAC(0x600B4844),
	spi:              usualSPI(0x60003000),
	watchdogs:        lpWatchdogs(0x600B1C00, 0x18, 0x1C, true),
	romBaud:          esp32c5ROMBaud,
	revision: fusedRevision(
		[]fuses{{0x600B484C, 0, 4}},
		[]fuses{{0x600B484C, 4, 2}},
	),
}

// esp32c5ROMBaud allows for a ROM that may take a crystal of 48 MHz for one of
// 40 MHz, or the other way round (esp32c5.py change_baud).
func esp32c5ROMBaud(read regReader, baud uint32) (uint32, error) {
	const divider, systemClock = 0x60000014, 0x60096110
	crystal, err := crystalMHz(read, divider)
	if err != nil {
		return 0, err
	}
	config, err := read(systemClock)
	if believed := int(config >> 24 & 0x7F); believed == 40 && crystal == 48 || believed == 48 && crystal == 40 {
		baud = uint32(int(baud) * believed / crystal)
	}
	return baud, err
}
