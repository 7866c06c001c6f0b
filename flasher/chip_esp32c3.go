package flasher

// ESP32C3 is the first RISC-V chip of the family.
// Source: esptool/targets/esp32c3.py.
var ESP32C3 = Chip{
	Name: "esp32c3", Title: "ESP32-C3", ImageID: 5,
	macReg:    efuseMAC(0x60008844),
	spi:       usualSPI(0x60002000),
	watchdogs: rtcWatchdogs(0x60008090, 0x600080A8, 0x600080AC, 0x600080B0),
	revision: fusedRevision(
		[]fuses{{0x60008850, 18, 3}, {0x60008858, 23, 1}},
		[]fuses{{0x60008858, 24, 2}},
	),
}
