package flasher

// ESP32C2 has its MAC one efuse word earlier than the C3, and no
// USB-Serial/JTAG. Source: esptool/targets/esp32c2.py.
var ESP32C2 = Chip{
	Name: "esp32c2", Title: "ESP32-C2", ImageID: 12,
	macReg: efuseMAC(0x60008840),
	spi:    usualSPI(0x60002000),
	watchdogs: watchdogRegs{
		config0: 0x60008084, config1: 0x60008088, protect: 0x6000809C, key: wdtKey, canReset: true,
	},
	romBaud:  esp32c2ROMBaud,
	stubName: esp32c2Stub,
	revision: fusedRevision(
		[]fuses{{0x60008844, 16, 4}},
		[]fuses{{0x60008844, 20, 2}},
	),
}

// esp32c2ROMBaud allows for a ROM that takes the crystal for one of 40 MHz
// even where it is one of 26 MHz (esp32c2.py change_baud).
func esp32c2ROMBaud(read regReader, baud uint32) (uint32, error) {
	const divider = 0x60000014
	crystal, err := crystalMHz(read, divider)
	if err == nil && crystal == 26 {
		baud = baud * 40 / 26
	}
	return baud, err
}

// esp32c2Stub: the first silicon is no longer supported (esp32c2.py
// _post_connect).
func esp32c2Stub(r Revision) string {
	if r == 0 {
		return ""
	}
	return "esp32c2"
}
