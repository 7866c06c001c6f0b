package flasher

import "math/bits"

// ESP32 is the first of the family: its ROM has no GET_SECURITY_INFO and a
// shorter FLASH_BEGIN than all that came after.
// Source: esptool/targets/esp32.py.
var ESP32 = Chip{
	Name: "esp32", Title: "ESP32", ImageID: 0, Magic: 0x00F01D83,
	BootloaderOffset: 0x1000,
	MACReg:           efuseMAC(esp32Efuse + 4),
	SPI: SPIRegs{
		Cmd: 0x3FF42000, User: 0x3FF4201C, User2: 0x3FF42024, MISOLen: 0x3FF4202C, W0: 0x3FF42080,
	},
	plainBegin: true,
	rcClocked:  true,
	macCRC:     true,
	security:   esp32Security,
}

// esp32Efuse is word 0 of efuse block 0.
const esp32Efuse = 0x3FF5A000

func esp32Security(read func(uint32) (uint32, error)) (Security, error) {
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
