package flasher

// ESP32C5 boots from 0x2000. Its ROM may take a crystal of 48 MHz for one of
// 40 MHz. Source: esptool/targets/esp32c5.py.
var ESP32C5 = Chip{
	Name: "esp32c5", Title: "ESP32-C5", ImageID: 23,
	BootloaderOffset: 0x2000,
	MACReg:           efuseMAC(0x600B4844),
	SPI:              spiRegs(0x60003000),
	Watchdogs:        lpWatchdogs(0x600B1C00, 0x18, 0x1C, true),
	rcClocked:        true,
}
