package espsim

// ESP32H2 is an ESP32-H2 revision v0.1. Numbers: esptool 4.12
// targets/esp32h2.py; boot log of an ESP32-H2-DevKitM-1.
var ESP32H2 = &Model{
	Name: "esp32h2", ChipID: 16, Magic: 0xD7B73E80, SecurityInfo: 20, BeginWords: 5,
	BootloaderOffset: 0, Crystal: 32_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60003000),
	Efuses: Efuses{
		MAC: 0x600B0844, BesideMAC: 0xFFFE,
		// Block 1, word 3: minor revision 1 in bits 18 to 20.
		Words:           map[uint32]uint32{0x600B0850: 1 << 18},
		SecureBoot:      Bits{0x600B0838, 1 << 20},
		FlashEncryption: Bits{0x600B0834, 1 << 18},
	},
	Straps: Straps{
		Register: 0x60091038, Download: 0x4, Flash: 0xC,
		DownloadModeName: "DOWNLOAD(USB/UART0)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: Watchdog{
		Config0: 0x600B1C00, Config1: 0x600B1C04, Protect: 0x600B1C1C,
		SuperConfig: 0x600B1C20, SuperProtect: 0x600B1C24, SuperKey: watchdogKey, SuperAutoFeed: 1 << 18,
	},
	Console: Console{Address: 0x4084FEFC, USBSerialJTAG: 3},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32h2-20221101", "Build:Nov  1 2022"},
		Resets:     lowPowerResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPIWP:0xee", "mode:DIO, clock div:1"},
	},
}
