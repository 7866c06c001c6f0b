package firmware

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"

	"hoptech.co.nz/flashd/flasher"
)

// Sizes in the image format (esp-idf
// components/bootloader_support/include/esp_app_format.h), in bytes.
const (
	imageHeaderSize   = 24
	segmentHeaderSize = 8
)

// demoMemory is where a chip has flash mapped (irom for code, drom for data;
// a multiple of 64 KiB) and RAM (esptool/targets, MEMORY_MAP).
var demoMemory = map[*flasher.Chip]struct{ irom, drom, iram, dram uint32 }{
	&flasher.ESP32:    {0x400D0000, 0x3F400000, 0x40080000, 0x3FFB0000},
	&flasher.ESP32S2:  {0x40080000, 0x3F000000, 0x40024000, 0x3FFC0000},
	&flasher.ESP32S3:  {0x42000000, 0x3C000000, 0x40374000, 0x3FC90000},
	&flasher.ESP32C2:  {0x42000000, 0x3C000000, 0x4037C000, 0x3FCA0000},
	&flasher.ESP32C3:  {0x42000000, 0x3C000000, 0x40380000, 0x3FC90000},
	&flasher.ESP32C5:  {0x42000000, 0x42200000, 0x40800000, 0x40820000},
	&flasher.ESP32C6:  {0x42000000, 0x42800000, 0x40800000, 0x40820000},
	&flasher.ESP32C61: {0x42000000, 0x42200000, 0x40800000, 0x40820000},
	&flasher.ESP32H2:  {0x42000000, 0x42800000, 0x40800000, 0x40820000},
	&flasher.ESP32P4:  {0x40000000, 0x40200000, 0x4FF40000, 0x4FF60000},
}

// imageBuilder puts an image together.
type imageBuilder struct {
	data []byte
	sum  byte
}

func newImageBuilder(chip *flasher.Chip, entry uint32) *imageBuilder {
	const dio = 2
	clock := byte(0xF) // not divided
	if chip == &flasher.ESP32C6 {
		clock = 0 // means the same there, see flasher.ParseImage
	}
	h := make([]byte, imageHeaderSize)
	size := byte(bits.TrailingZeros(uint(demoFlashSize(chip) >> 20)))
	h[0], h[2], h[3] = 0xE9, dio, size<<4|clock
	binary.LittleEndian.PutUint32(h[4:], entry)
	h[8] = 0xEE // no write-protect pin
	binary.LittleEndian.PutUint16(h[12:], chip.ImageID)
	binary.LittleEndian.PutUint16(h[17:], math.MaxUint16) // any revision
	h[23] = 1                                             // a SHA-256 follows
	return &imageBuilder{data: h, sum: 0xEF}
}

// add adds a segment, whose length is a multiple of 4.
func (b *imageBuilder) add(address uint32, segment []byte) {
	b.data[1]++
	b.data = binary.LittleEndian.AppendUint32(b.data, address)
	b.data = binary.LittleEndian.AppendUint32(b.data, uint32(len(segment)))
	b.data = append(b.data, segment...)
	for _, c := range segment {
		b.sum ^= c
	}
}

// finish returns the image with its checksum, which ends a 16-byte line, and
// its SHA-256.
func (b *imageBuilder) finish() []byte {
	b.data = append(b.data, make([]byte, 15-len(b.data)%16)...)
	b.data = append(b.data, b.sum)
	digest := sha256.Sum256(b.data)
	return append(b.data, digest[:]...)
}
