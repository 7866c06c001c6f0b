package flasher

// ESP32P4 boots from 0x2000. Source: esptool/targets/esp32p4.py.
var ESP32P4 = Chip{
	Name: "esp32p4", Title: "ESP32-P4", ImageID: 18,
	BootloaderOffset: 0x2000,
	MACReg:           efuseMAC(0x5012D044),
	SPI:              spiRegs(0x5008D000),
	Watchdogs:        lpWatchdogs(0x50116000, 0x18, 0x1C, true),
}
