package espsim

// ESP32C2 is an ESP32-C2 revision v1.2 with a crystal of 26 MHz, which its ROM
// takes for one of 40 MHz: its log comes at 74880 baud, and a host that asks for a
// baud rate must ask for 40/26 of it. Numbers: esptool 4.12 targets/esp32c2.py;
// boot log of an ESP8684-DevKitM-1.
var ESP32C2 = &Model{
	Name: "esp32c2", ChipID: 12, Magic: 0x6F51306F, SecurityInfo: 20, BeginWords: 5,
	BootloaderOffset: 0, Crystal: 26_000_000, ROMCrystal: 40_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60002000),
	Efuses: Efuses{
		MAC: 0x60008840,
		// Minor revision 2 in bits 16 to 19, major revision 1 in bits 20 and 21.
		BesideMAC:       1<<4 | 2,
		SecureBoot:      Bits{0x60008830, 1 << 21},
		FlashEncryption: Bits{0x60008830, 1 << 7},
	},
	Straps: Straps{
		Register: 0x60004038, Download: 0x4, Flash: 0xC,
		DownloadModeName: "DOWNLOAD(UART0)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: Watchdog{Config0: 0x60008084, Config1: 0x60008088, Protect: 0x6000809C},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp8684-api2-20220127", "Build:Jan 27 2022"},
		Resets:     newResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPIWP:0xee", "mode:DIO, clock div:1"},
	},
}
