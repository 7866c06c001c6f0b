package flasher

// ESP32C61 is a C6 without 802.15.4. Source: esptool/targets/esp32c61.py.
var ESP32C61 = Chip{
	Name: "esp32c61", Title: "ESP32-C61", ImageID: 20, LargeFlash: true,
	macReg:    efuseMAC(0x600B4844),
	spi:       usualSPI(0x60003000),
	watchdogs: lpWatchdogs(0x600B1C00, 0x18, 0x1C, true),
	revision: fusedRevision(
		[]fuses{{0x600B484C, 0, 4}},
		[]fuses{{0x600B484C, 4, 2}},
	),
}
