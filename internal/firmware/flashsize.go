package firmware

import (
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
// segments, as esptool does when told a size.
func setFlashSize(segments []Segment, size int) error {
	for i, s := range segments {
		img, err := flasher.ParseImage(s.Data)
		if err != nil {
			continue
		}
		chip, err := flasher.ChipNamed(img.Chip)
		if err != nil || s.Offset != chip.BootloaderOffset {
			continue
		}
		if segments[i].Data, err = flasher.PatchImage(s.Data, flasher.FlashSettings{Size: size}); err != nil {
			return err
		}
	}
	return nil
}
