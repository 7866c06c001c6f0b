package espsim

import "maps"

// ESP32PicoD4 is an ESP32-PICO-D4 revision v1.1, whose flash is in its package,
// on other pins than usual. Numbers: esptool 4.12 targets/esp32.py; pins: ESP-IDF
// components/esp_psram/esp32 (PICO_..._IO).
var ESP32PicoD4 = picoD4()

func picoD4() *Model {
	const clk, q, d, cs, hd = 6, 17, 8, 16, 11
	m := *ESP32
	m.FlashPins = hd<<24 | cs<<18 | d<<12 | q<<6 | clk
	m.Efuses.Words = maps.Clone(m.Efuses.Words)
	m.Efuses.Words[0x3FF5A00C] = 5<<9 | 1<<13 | 1<<15 | hd<<4        // package 5, revision bit 0
	m.Efuses.Words[0x3FF5A014] = 1<<24 | cs<<15 | d<<10 | q<<5 | clk // minor revision 1
	m.Efuses.Words[0x3FF6607C] = 0                                   // revision bit 2
	return &m
}
