package flasher

// ESP32S2 tells no chip ID, but has a magic of its own.
// Source: esptool/targets/esp32s2.py.
var ESP32S2 = Chip{
	Name: "esp32s2", Title: "ESP32-S2", ImageID: 2, Magic: 0x000007C6,
	BootloaderOffset: 0x1000,
	MACReg:           efuseMAC(0x3F41A044),
	SPI:              spiRegs(0x3F402000),
	ForceDownload:    0x3F408128,
	wideInflate:      true, // not known, and its ROM is the next oldest
	revision: fusedRevision(
		[]fuses{{0x3F41A054, 4, 3}, {0x3F41A050, 20, 1}},
		[]fuses{{0x3F41A050, 18, 2}},
	),
	Watchdogs: WatchdogRegs{
		Config0: 0x3F408094, Config1: 0x3F408098, Protect: 0x3F4080AC, Key: wdtKey, CanReset: true,
	},
}
