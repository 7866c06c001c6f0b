package espsim

// ESP32C61 is an ESP32-C61 revision v1.1. Numbers: esptool 4.12
// targets/esp32c61.py; boot log in Espressif's ESP-AT documents.
var ESP32C61 = &Model{
	Name: "esp32c61", ChipID: 20, Magic: 0x33F0206F, SecurityInfo: 20, BeginWords: 5, LargeFlash: true,
	BootloaderOffset: 0, Crystal: 40_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60003000),
	Efuses: Efuses{
		MAC: 0x600B4844,
		// Block 1, word 2: minor revision 1 in bits 0 to 3, major revision 1 above.
		Words:           map[uint32]uint32{0x600B484C: 1<<4 | 1},
		SecureBoot:      Bits{0x600B4834, 1 << 26},
		FlashEncryption: Bits{0x600B4830, 1 << 23},
	},
	Straps: Straps{
		Register: 0x60091038, Download: 0x4, Flash: 0xC,
		DownloadModeName: "DOWNLOAD(UART0)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: lowPowerWatchdog,
	Console:  Console{Address: 0x4087F580, USBSerialJTAG: 3},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32c61-eco3-20250228", "Build:Feb 28 2025"},
		Resets:     lowPowerResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPI mode:DIO, clock div:1"},
	},
}
