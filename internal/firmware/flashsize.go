package firmware

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"hoptech.co.nz/flashd/flasher"
)

// ParseFlashSize reads a size of flash as build systems write it: "8MB".
func ParseFlashSize(text string) (int, error) {
	digits, ok := strings.CutSuffix(strings.ToUpper(text), "MB")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > maxFlash>>20 || bits.OnesCount(uint(n)) != 1 {
		return 0, fmt.Errorf("flash size %q: want 1MB, 2MB, 4MB and so on to 128MB", text)
	}
	return n << 20, nil
}

// setFlashSize writes a flash size into the header of the bootloader among the
// segments and renews its SHA-256, as esptool does when told a size.
func setFlashSize(segments []Segment, size int) {
	for i, s := range segments {
		img, err := flasher.ParseImage(s.Data)
		if err != nil {
			continue
		}
		chip, err := flasher.ChipNamed(img.Chip)
		if err != nil || s.Offset != chip.BootloaderOffset {
			continue
		}
		segments[i].Data = withFlashSize(s.Data, img, size)
	}
}

// withFlashSize leaves data alone: it is the build's.
func withFlashSize(data []byte, img *flasher.Image, size int) []byte {
	data = bytes.Clone(data)
	code := byte(bits.TrailingZeros(uint(size >> 20)))
	data[3] = code<<4 | data[3]&0x0F
	if img.Hashed {
		at := img.Size - sha256.Size
		sum := sha256.Sum256(data[:at])
		copy(data[at:], sum[:])
	}
	return data
}
