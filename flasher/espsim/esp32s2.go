package espsim

// ESP32S2 is an ESP32-S2 revision v1.0. It tells no chip ID, but has a magic of
// its own. Numbers: esptool 4.12 targets/esp32s2.py; boot log of an
// ESP32-S2-Saola-1.
var ESP32S2 = &Model{
	Name: "esp32s2", ChipID: 2, Magic: 0x000007C6, SecurityInfo: 12, BeginWords: 5,
	BootloaderOffset: 0x1000, Crystal: 40_000_000, UARTClockDivider: 0x3F400014,
	SPI: spiAt(0x3F402000),
	Efuses: Efuses{
		MAC: 0x3F41A044,
		// Block 1, word 3: major revision 1 in bits 18 and 19.
		Words:           map[uint32]uint32{0x3F41A050: 1 << 18},
		SecureBoot:      Bits{0x3F41A038, 1 << 20},
		FlashEncryption: Bits{0x3F41A034, 1 << 18},
	},
	Straps: Straps{
		Register: 0x3F404038, Download: 0x0, Flash: 0x8, ForceDownload: Bits{0x3F408128, 1},
		DownloadModeName: "DOWNLOAD(USB/UART0)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: Watchdog{Config0: 0x3F408094, Config1: 0x3F408098, Protect: 0x3F4080AC},
	Console:  Console{Address: 0x3FFFFD14, USBOTG: 2},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32s2-rc4-20191025", "Build:Oct 25 2019"},
		Resets:     newResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPIWP:0xee", "mode:DIO, clock div:1"},
	},
}
