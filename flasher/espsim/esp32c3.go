package espsim

// ESP32C3 is an ESP32-C3 (QFN32) revision v0.4. Numbers: esptool 4.12
// targets/esp32c3.py; boot log of an ESP32-C3-DevKitM-1.
var ESP32C3 = &Model{
	Name: "esp32c3", ChipID: 5, Magic: 0x1B31506F, SecurityInfo: 20, BeginWords: 5,
	ROM: ROM{
		APIVersion: 3, Ring: 0x800,
		// FLASH_DATA programs the flash at 0. The block size there is larger than what a
		// frame may carry.
		stray:     transfer{size: 0x10, blocks: 0x3FCCAE04, blockSize: romMaxBlock},
		LoadFault: "Load access fault", StoreFault: "Store/AMO access fault",
		StartsNothing: true,
	},
	BootloaderOffset: 0, Crystal: 40_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60002000),
	Efuses: Efuses{
		MAC: 0x60008844,
		// Block 1, word 3: minor revision 4 in bits 18 to 20.
		Words:           map[uint32]uint32{0x60008850: 4 << 18},
		SecureBoot:      Bits{0x60008838, 1 << 20},
		FlashEncryption: Bits{0x60008834, 1 << 18},
	},
	Straps: Straps{
		Register: 0x60004038, Download: 0x4, Flash: 0xC,
		DownloadModeName: "DOWNLOAD(USB/UART0/1)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: Watchdog{
		Config0: 0x60008090, Config1: 0x60008094, Protect: 0x600080A8,
		SuperConfig: 0x600080AC, SuperProtect: 0x600080B0, SuperKey: 0x8F1D312A, SuperAutoFeed: 1 << 31,
	},
	// The variable is 24 bytes into a structure that moved at revision v1.1.
	Console: Console{Address: 0x3FCDF064 + 24, USBSerialJTAG: 3},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32c3-api1-20210207", "Build:Feb  7 2021"},
		Resets:     newResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPIWP:0xee", "mode:DIO, clock div:1"},
	},
}
