package flasher

// ESP32C2 has its MAC one efuse word earlier than the C3, and no
// USB-Serial/JTAG. Its ROM takes the crystal for one of 40 MHz even where it
// is one of 26 MHz. Source: esptool/targets/esp32c2.py.
var ESP32C2 = Chip{
	Name: "esp32c2", Title: "ESP32-C2", ImageID: 12,
	MACReg:    efuseMAC(0x60008840),
	SPI:       spiRegs(0x60002000),
	rcClocked: true,
}
