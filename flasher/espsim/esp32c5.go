package espsim

// ESP32C5 is an ESP32-C5 revision v1.0 with a crystal of 48 MHz. Numbers: esptool
// 4.12 targets/esp32c5.py; boot log in ESP-IDF's bootloader guide.
var ESP32C5 = &Model{
	Name: "esp32c5", ChipID: 23, Magic: 0x1101406F, SecurityInfo: 20, BeginWords: 5, LargeFlash: true,
	BootloaderOffset: 0x2000, Crystal: 48_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60003000),
	Efuses: Efuses{
		MAC: 0x600B4844, BesideMAC: 0xFFFE,
		Words: map[uint32]uint32{
			// Block 1, word 2: major revision 1 in bits 4 and 5.
			0x600B484C: 1 << 4,
			// PCR_SYSCLK_CONF: what the ROM takes the crystal for, MHz from bit 24.
			0x60096110: 48 << 24,
		},
		SecureBoot:      Bits{0x600B4838, 1 << 25},
		FlashEncryption: Bits{0x600B4834, 1 << 18},
	},
	Straps: Straps{
		Register: 0x60091038, Download: 0x10, Flash: 0x18,
		DownloadModeName: "DOWNLOAD(USB/UART0)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: lowPowerWatchdog,
	Console:  Console{Address: 0x4085F514, USBSerialJTAG: 3},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32c5-eco2-20250121", "Build:Jan 21 2025"},
		Resets:     lowPowerResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPI mode:DIO, clock div:1"},
	},
}
