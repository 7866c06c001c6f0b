package flasher

// ESP32S3 is the chip of the XIAO boards. Source: esptool/targets/esp32s3.py.
var ESP32S3 = Chip{
	Name: "esp32s3", Title: "ESP32-S3", ImageID: 9,
	MACReg:        efuseMAC(0x60007044),
	SPI:           spiRegs(0x60002000),
	ForceDownload: 0x6000812C,
	Watchdogs:     rtcWatchdogs(0x60008098, 0x600080B0, 0x600080B4, 0x600080B8),
}
