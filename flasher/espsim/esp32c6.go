package espsim

// ESP32C6 is an ESP32-C6 (QFN40) revision v0.1. Numbers: esptool 4.12
// targets/esp32c6.py; boot log of an ESP32-C6-DevKitC-1.
var ESP32C6 = &Model{
	Name: "esp32c6", ChipID: 13, Magic: 0x2CE0806F, SecurityInfo: 20, BeginWords: 5,
	BootloaderOffset: 0, Crystal: 40_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60003000),
	Efuses: Efuses{
		MAC: 0x600B0844, BesideMAC: 0xFFFE,
		// Block 1, word 3: minor revision 1 in bits 18 to 21.
		Words:           map[uint32]uint32{0x600B0850: 1 << 18},
		SecureBoot:      Bits{0x600B0838, 1 << 20},
		FlashEncryption: Bits{0x600B0834, 1 << 18},
	},
	Straps: Straps{
		Register: 0x60091038, Download: 0x4, Flash: 0xC,
		DownloadModeName: "DOWNLOAD(USB/UART0/SDIO_REI_FEO)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: lowPowerWatchdog,
	Console:  Console{Address: 0x4087F580, USBSerialJTAG: 3},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32c6-20220919", "Build:Sep 19 2022"},
		Resets:     lowPowerResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPIWP:0xee", "mode:DIO, clock div:1"},
	},
}

// lowPowerWatchdog is the LP_WDT unit of C5, C6 and C61.
var lowPowerWatchdog = Watchdog{
	Config0: 0x600B1C00, Config1: 0x600B1C04, Protect: 0x600B1C18,
	SuperConfig: 0x600B1C1C, SuperProtect: 0x600B1C20, SuperKey: watchdogKey, SuperAutoFeed: 1 << 18,
}

// lowPowerResetWords are the reset causes as the ROMs of C5, C6, C61 and H2
// print them (ESP-IDF, components/esp_rom/esp32c6/include/esp32c6/rom/rtc.h).
var lowPowerResetWords = map[resetCause]string{
	powerOn:       "0x1 (POWERON)",
	resetByUSB:    "0x15 (USB_UART_HPSYS)",
	resetByRTC:    "0x10 (LP_WDT_SYS)",
	resetByTimer:  "0x7 (TG0_WDT_HPSYS)",
	resetBySoft:   "0x3 (LP_SW_HPSYS)",
	resetBrownOut: "0xf (BROWNOUT)",
}
