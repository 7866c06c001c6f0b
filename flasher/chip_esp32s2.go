package flasher

// ESP32S2 tells no chip ID, but has a magic of its own.
// Source: esptool/targets/esp32s2.py.
var ESP32S2 = Chip{
	Name: "esp32s2", Title: "ESP32-S2", ImageID: 2, magic: 0x000007C6,
	BootloaderOffset: 0x1000,
	macReg:           efuseMAC(0x3F41A044),
	spi:              usualSPI(0x3F402000),
	forceDownload:    0x3F408128,
	wideInflate:      true, // not known, and its ROM is the next oldest
	revision: fusedRevision(
		[]fuses{{0x3F41A054, 4, 3}, {0x3F41A050, 20, 1}},
		[]fuses{{0x3F41A050, 18, 2}},
	),
	watchdogs: watchdogRegs{
		config0: 0x3F408094, config1: 0x3F408098, protect: 0x3F4080AC, key: wdtKey, canReset: true,
	},
}
