package flasher

import "fmt"

// Opcode is a command byte of the loader protocol
// (esptool docs, serial-protocol.rst "Commands").
type Opcode uint8

// The commands that this package sends.
const (
	FlashBegin      Opcode = 0x02
	FlashData       Opcode = 0x03
	FlashEnd        Opcode = 0x04
	MemBegin        Opcode = 0x05
	MemEnd          Opcode = 0x06
	MemData         Opcode = 0x07
	Sync            Opcode = 0x08
	WriteReg        Opcode = 0x09
	ReadReg         Opcode = 0x0A
	SPISetParams    Opcode = 0x0B
	SPIAttach       Opcode = 0x0D
	ReadFlashSlow   Opcode = 0x0E // ROM only
	ChangeBaudrate  Opcode = 0x0F
	FlashDeflBegin  Opcode = 0x10
	FlashDeflData   Opcode = 0x11
	FlashDeflEnd    Opcode = 0x12
	SPIFlashMD5     Opcode = 0x13
	GetSecurityInfo Opcode = 0x14
	ReadFlash       Opcode = 0xD2 // stub only
)

var opcodeNames = map[Opcode]string{
	FlashBegin: "FLASH_BEGIN", FlashData: "FLASH_DATA", FlashEnd: "FLASH_END",
	MemBegin: "MEM_BEGIN", MemEnd: "MEM_END", MemData: "MEM_DATA", Sync: "SYNC",
	WriteReg: "WRITE_REG", ReadReg: "READ_REG", SPISetParams: "SPI_SET_PARAMS",
	SPIAttach: "SPI_ATTACH", ReadFlashSlow: "READ_FLASH_SLOW", ChangeBaudrate: "CHANGE_BAUDRATE",
	FlashDeflBegin: "FLASH_DEFL_BEGIN", FlashDeflData: "FLASH_DEFL_DATA", FlashDeflEnd: "FLASH_DEFL_END",
	SPIFlashMD5: "SPI_FLASH_MD5", GetSecurityInfo: "GET_SECURITY_INFO",
	ReadFlash: "READ_FLASH",
}

// String returns the command's name in Espressif's documentation.
func (op Opcode) String() string {
	if name, ok := opcodeNames[op]; ok {
		return name
	}
	return fmt.Sprintf("command %#02x", uint8(op))
}

// reason puts a loader's status into words. ROM loaders send 01 and a reason
// byte (serial-protocol.rst "ROM Loader Errors"); the stub sends a 16-bit code
// whose first byte is C0 or above (esp-flasher-stub commands.h).
func reason(code uint16) string {
	if s, ok := stubReasons[code]; ok && code >= 0xC000 {
		return s
	}
	if s, ok := romReasons[uint8(code)]; ok {
		return s
	}
	return "unknown reason"
}

var romReasons = map[uint8]string{
	0x05: "invalid message or unsupported command",
	0x06: "failed to act on the message",
	0x07: "bad checksum",
	0x08: "flash write error: the flash did not keep what was written",
	0x09: "flash read error",
	0x0A: "flash read length error",
	0x0B: "inflate error",
	0x0C: "inflate checksum error",
	0x0D: "inflate parameter error",
	0x0E: "bad RAM size",
	0x0F: "bad RAM address",
	0x64: "parameter error",
	0x65: "flash erase error",
	0x66: "flash write error",
}

// invalidMessage is the ROM's status for a command that it does not know; the
// others are the stub's.
const (
	invalidMessage = 0x0105
	badDataLength  = 0xC000
	badChecksum    = 0xC100
)

var stubReasons = map[uint16]string{
	badDataLength: "bad data length",
	badChecksum:   "bad checksum",
	0xC200:        "bad block size",
	0xC300:        "invalid command",
	0xC400:        "flash operation failed",
	0xC500:        "flash unlock failed",
	0xC600:        "not in flash mode",
	0xC700:        "inflate error",
	0xC800:        "not enough data",
	0xC900:        "too much data",
	0xFF00:        "not implemented",
}
