package espsim

// ESP32S3 is an ESP32-S3 (QFN56) revision v0.2. Numbers: esptool 4.12
// targets/esp32s3.py; boot log of an ESP32-S3-DevKitC-1; the ROM of 2021-03-27, in
// an emulator.
var ESP32S3 = &Model{
	Name: "esp32s3", ChipID: 9, Magic: 0x9, SecurityInfo: 20, BeginWords: 5, LargeFlash: true,
	ROM: ROM{
		Ring: 0x800,
		// The block size there is larger than memory; this one is what a frame may carry.
		stray: transfer{
			size: 0xABAB, blocks: 0x3FF1A96D, blockSize: romMaxBlock, address: 0x8004392D,
			next: 0x3FF1A96D, written: 0x3FF1A979,
		},
		AddressBits: true, LoadFault: "LoadProhibited", StoreFault: "StoreProhibited",
		DivisionTraps: true, StartsNothing: true,
	},
	BootloaderOffset: 0, Crystal: 40_000_000, UARTClockDivider: 0x60000014,
	SPI: spiAt(0x60002000),
	Efuses: Efuses{
		MAC: 0x60007044,
		// Block 1, word 3: minor revision 2 in bits 18 to 20, block version 1.2
		// above it; block 2, word 4: block version 1.
		Words:           map[uint32]uint32{0x60007050: 2<<18 | 2<<24, 0x6000706C: 1},
		SecureBoot:      Bits{0x60007038, 1 << 20},
		FlashEncryption: Bits{0x60007034, 1 << 18},
	},
	Straps: Straps{
		Register: 0x60004038, Download: 0x0, Flash: 0x8, ForceDownload: Bits{0x6000812C, 1},
		DownloadModeName: "DOWNLOAD(USB/UART0)", FlashBootModeName: "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Watchdog: Watchdog{
		Config0: 0x60008098, Config1: 0x6000809C, Protect: 0x600080B0,
		SuperConfig: 0x600080B4, SuperProtect: 0x600080B8, SuperKey: 0x8F1D312A, SuperAutoFeed: 1 << 31,
	},
	Console: Console{Address: 0x3FCEF14C, USBSerialJTAG: 4, USBOTG: 3},
	Log: BootWords{
		Banner:     []string{"ESP-ROM:esp32s3-20210327", "Build:Mar 27 2021"},
		Resets:     newResetWords,
		LeftLoader: "user code done",
		Flash:      []string{"SPIWP:0xee", "mode:DIO, clock div:1"},
	},
}

// newResetWords are the reset causes as the ROMs of S2, S3, C2 and C3 print them
// (ESP-IDF, components/esp_rom/include/*/rom/rtc.h).
var newResetWords = map[resetCause]string{
	powerOn:       "0x1 (POWERON)",
	resetByUSB:    "0x15 (USB_UART_CHIP_RESET)",
	resetByRTC:    "0x10 (RTCWDT_RTC_RST)",
	resetByTimer:  "0x7 (TG0WDT_SYS_RST)",
	resetBySoft:   "0x3 (RTC_SW_SYS_RST)",
	resetBrownOut: "0xf (BROWNOUT_RST)",
}
