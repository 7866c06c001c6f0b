package flasher

// ESP32C6 cannot be reset by its watchdog: the USB port may vanish until
// power is cut (esptool troubleshooting). Source: esptool/targets/esp32c6.py.
var ESP32C6 = Chip{
	Name: "esp32c6", Title: "ESP32-C6", ImageID: 13,
	macReg:    efuseMAC(0x600B0844),
	spi:       usualSPI(0x60003000),
	watchdogs: lpWatchdogs(0x600B1C00, 0x18, 0x1C, false),
	revision: fusedRevision(
		[]fuses{{0x600B0850, 18, 4}},
		[]fuses{{0x600B0850, 22, 2}},
	),
}
