package flasher

import "math/bits"

// ESP32 is the first of the family: its ROM has no GET_SECURITY_INFO and a
// shorter FLASH_BEGIN than all that came after.
// Source: esptool/targets/esp32.py.
var ESP32 = Chip{
	Name: "esp32", Title: "ESP32", ImageID: 0, magic: 0x00F01D83,
	BootloaderOffset: 0x1000,
	macReg:           efuseMAC(esp32Efuse + 4),
	spi: spiRegs{
		cmd: 0x3FF42000, address: 0x3FF42004, user: 0x3FF4201C, user1: 0x3FF42020, user2: 0x3FF42024,
		misoLen: 0x3FF4202C, w0: 0x3FF42080, addressOnTop: true,
	},
	plainBegin:  true,
	wideInflate: true,
	romBaud:     esp32ROMBaud,
	macCRC:      true,
	revision:    esp32Revision,
	security:    esp32Security,
	flashPins:   esp32FlashPins,
}

// esp32Efuse is word 0 of efuse block 0.
const esp32Efuse = 0x3FF5A000

// esp32ROMBaud allows for the ROM's way to find the crystal's frequency: by
// counting an RC oscillator whose own frequency it takes from the efuses
// (esp32.py change_baud). Chips exist with none there, and such a ROM hangs at
// any change of rate.
func esp32ROMBaud(read regReader, baud uint32) (uint32, error) {
	const calibration = 0x3FF5F06C // RTCCALICFG1: the count in bits 7 to 31
	count, err := read(calibration)
	if err != nil {
		return 0, err
	}
	word4, err := read(esp32Efuse + 4*4)
	if err != nil {
		return 0, err
	}
	ck8m := word4 & 0xFF // of the RC oscillator, in 1/4 MHz
	believed := uint64(count>>7) * 15625 * uint64(ck8m) / 40
	if believed < 20e6 || believed > 50e6 {
		return 0, nil // no crystal is like that
	}
	crystal := uint64(26e6)
	if believed > 33e6 {
		crystal = 40e6
	}
	return uint32(uint64(baud) * believed / crystal), nil
}

// esp32Revision: the major number is how many of three bits are set, of which
// one is never set without those below it (esp32.py get_major_chip_version).
func esp32Revision(read regReader) (Revision, error) {
	const clockDate = 0x3FF6607C // APB_CTL_DATE, in whose top bit the third stands
	bits3, err := number(read, fuses{esp32Efuse + 3*4, 15, 1}, fuses{esp32Efuse + 5*4, 20, 1}, fuses{clockDate, 31, 1})
	if err != nil {
		return 0, err
	}
	major := map[uint32]Revision{0b001: 1, 0b011: 2, 0b111: 3}[bits3] // else 0
	minor, err := number(read, fuses{esp32Efuse + 5*4, 24, 2})
	return major*100 + Revision(minor), err
}

// esp32FlashPins: a flash chip in the package (PICO-D4, D2WD, U4WDH) is on pins
// that the efuses name; where they are blank it is on the usual ones (esp32.py
// get_chip_spi_pads, cmds.py attach_flash).
func esp32FlashPins(read regReader) (uint32, error) {
	word3, err := read(esp32Efuse + 3*4)
	if err != nil {
		return 0, err
	}
	word5, err := read(esp32Efuse + 5*4)
	clk, q, d, cs := word5&0x1F, word5>>5&0x1F, word5>>10&0x1F, word5>>15&0x1F
	hd := word3 >> 4 & 0x1F
	return hd<<24 | cs<<18 | d<<12 | q<<6 | clk, err
}

func esp32Security(read regReader) (Security, error) {
	word0, err := read(esp32Efuse)
	if err != nil {
		return Security{}, err
	}
	word6, err := read(esp32Efuse + 6*4)
	if err != nil {
		return Security{}, err
	}
	const absDone = 3 << 4 // ABS_DONE_0 (secure boot V1) and ABS_DONE_1 (V2)
	return Security{
		FlashEncryption: bits.OnesCount32(word0>>20&0x7F)%2 == 1, // FLASH_CRYPT_CNT
		SecureBoot:      word6&absDone != 0,
	}, nil
}
