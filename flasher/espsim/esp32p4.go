package espsim

// ESP32P4 is an ESP32-P4 revision v1.3, for which Espressif's stub has a file of
// its own. Numbers: esptool 4.12 targets/esp32p4.py; boot log of an
// ESP32-P4-Function-EV-Board.
var ESP32P4 = &Model{
	Name: "esp32p4", ChipID: 18, Magic: 0, SecurityInfo: 20, BeginWords: 5, LargeFlash: true,
	BootloaderOffset: 0x2000, Crystal: 40_000_000, UARTClockDivider: 0x500CA014,
	SPI: spiAt(0x5008D000),
	Efuses: Efuses{
		MAC: 0x5012D044,
		// Block 1, word 2: minor revision 3 in bits 0 to 3, major revision 1 above.
		Words:           map[uint32]uint32{0x5012D04C: 1<<4 | 3},
		SecureBoot:      Bits{0x5012D038, 1 << 20},
		FlashEncryption: Bits{0x5012D034, 1 << 18},
	},
	Straps: Straps{
		Register: 0x500E0038, Download: 0x307, Flash: 0x30F, ForceDownload: Bits{0x50110008, 1 << 2},
		DownloadModeName: "DOWNLOAD(USB/UART0/SPI)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: Watchdog{
		Config0: 0x50116000, Config1: 0x50116004, Protect: 0x50116018,
		SuperConfig: 0x5011601C, SuperProtect: 0x50116020, SuperKey: watchdogKey, SuperAutoFeed: 1 << 18,
	},
	// The variable is 24 bytes into a structure that moved at revision v3.0.
	Console: Console{Address: 0x4FF3FEB0 + 24, USBSerialJTAG: 6, USBOTG: 5},
	Log: BootWords{
		Banner: []string{"ESP-ROM:esp32p4-eco2-20240710", "Build:Jul 10 2024"},
		Resets: map[resetCause]string{
			powerOn:       "0x1 (POWERON)",
			resetByUSB:    "0x17 (CHIP_USB_UART_RESET)",
			resetByRTC:    "0x10 (LP_WDT_SYS_RESET)",
			resetByTimer:  "0x7 (HP_SYS_HP_WDT_RESET)",
			resetBySoft:   "0x3 (SW_SYS_RESET)",
			resetBrownOut: "0xf (BROWNOUT_RESET)",
		},
		LeftLoader: "user code done",
		Flash:      []string{"SPI mode:DIO, clock div:1"},
	},
}
