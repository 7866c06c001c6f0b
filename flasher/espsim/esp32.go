package espsim

// ESP32 is an ESP32-D0WD-V3 revision v3.1. Numbers: esptool 4.12
// targets/esp32.py; boot log of an ESP32-DevKitC.
var ESP32 = &Model{
	Name: "esp32", ChipID: 0, Magic: 0x00F01D83, SecurityInfo: 0, BeginWords: 4,
	ROM: ROM{
		Ring: 0x100, KeepsSync: true, WholeWindows: true, DivisionTraps: true,
		stray: transfer{written: 0x3FFE3E90, address: 0x3FFE3E50},
	},
	BootloaderOffset: 0x1000, Crystal: 40_000_000, ROMCrystal: 3020 * 15625 * 34 / 40, UARTClockDivider: 0x3FF40014,
	SPI: SPIRegisters{
		Base: 0x3FF42000, User: 0x1C, User1: 0x20, User2: 0x24, MOSILength: 0x28, MISOLength: 0x2C, W0: 0x80,
		AddressOnTop: true,
	},
	Efuses: Efuses{
		MAC: 0x3FF5A004, MACCRC: true,
		Words: map[uint32]uint32{
			// Word 3: package 1 (D0WD) in bits 9 to 11, rated for 240 MHz (bit
			// 13), revision bit 0 (bit 15).
			0x3FF5A00C: 1<<9 | 1<<13 | 1<<15,
			// Word 4: CK8M_FREQ, the RC oscillator in units of 1/4 MHz. Together
			// with the calibration value below the ROM takes the crystal for
			// 40.1 MHz; esptool corrects baud rates for that.
			0x3FF5A010: 34,
			// Word 5: revision bit 1 (bit 20), minor revision 1 (bits 24, 25).
			0x3FF5A014: 1<<20 | 1<<24,
			// APB_CTL_DATE: revision bit 2 (bit 31).
			0x3FF6607C: 1 << 31,
			// RTCCALICFG1: crystal cycles in the calibration run, from bit 7.
			0x3FF5F06C: 3020 << 7,
		},
		SecureBoot:      Bits{0x3FF5A018, 1 << 5},
		FlashEncryption: Bits{0x3FF5A000, 1 << 20},
	},
	Straps: Straps{
		Register: 0x3FF44038, Download: 0x03, Flash: 0x13,
		DownloadModeName:   "DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2)",
		FlashBootModeName:  "SPI_FAST_FLASH_BOOT",
		DownloadReadyWords: "waiting for download",
	},
	Log: BootWords{
		Banner: []string{"ets Jul 29 2019 12:21:46", ""},
		Resets: map[resetCause]string{
			powerOn:       "0x1 (POWERON_RESET)",
			resetByRTC:    "0x10 (RTCWDT_RTC_RESET)",
			resetByTimer:  "0x7 (TG0WDT_SYS_RESET)",
			resetBySoft:   "0x3 (SW_RESET)",
			resetBrownOut: "0xf (RTCWDT_BROWN_OUT_RESET)",
		},
		LeftLoader: "Falling back to built-in command interpreter.\r\nOK\r\n>",
		Flash: []string{
			"configsip: 0, SPIWP:0xee",
			"clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00", "mode:DIO, clock div:2",
		},
	},
}
