package flasher

// ESP32H2 has its watchdog registers one word later than the C6.
// Source: esptool/targets/esp32h2.py.
var ESP32H2 = Chip{
	Name: "esp32h2", Title: "ESP32-H2", ImageID: 16,
	macReg:    efuseMAC(0x600B0844),
	spi:       usualSPI(0x60003000),
	watchdogs: lpWatchdogs(0x600B1C00, 0x1C, 0x20, false),
	revision: fusedRevision(
		[]fuses{{0x600B0850, 18, 3}},
		[]fuses{{0x600B0850, 21, 2}},
	),
}
