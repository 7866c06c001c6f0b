package flasher

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// FlashSettings are what a bootloader's header says about the flash. Zero
// values leave what is there.
type FlashSettings struct {
	Mode string // "qio", "qout", "dio", "dout"
	Size int    // in bytes, a power of two from 1 to 128 MiB
	MHz  int    // the clock, as Image.FlashMHz has it
}

// PatchImage returns the image with other flash settings in its header, and
// its appended SHA-256 made good. data is left as it is, and so is what stands
// behind the image. It is what esptool does to bootloaders when it is told
// settings (cmds.py _update_image_flash_params); nobody does it unasked.
func PatchImage(data []byte, s FlashSettings) ([]byte, error) {
	img, err := ParseImage(data)
	if err != nil {
		return nil, err
	}
	data = bytes.Clone(data)
	if err := img.patch(data, s); err != nil {
		return nil, &Error{Op: "patch image", Kind: BadImage, Err: err}
	}
	if img.Hashed {
		at := img.Size - sha256.Size
		sum := sha256.Sum256(data[:at])
		copy(data[at:], sum[:])
	}
	return data, nil
}

// patch changes the header's third byte and the halves of its fourth.
func (img *Image) patch(data []byte, s FlashSettings) error {
	if s.Mode != "" {
		mode := slices.Index(flashModes, s.Mode)
		if mode < 0 {
			return fmt.Errorf("flash mode %q: want one of %v", s.Mode, flashModes)
		}
		data[2] = byte(mode)
	}
	if s.Size != 0 {
		code := bits.TrailingZeros(uint(s.Size)) - 20
		if bits.OnesCount(uint(s.Size)) != 1 || code < 0 || code > largestFlash {
			return fmt.Errorf("flash size of %d bytes: want a power of two from 1 to 128 MiB", s.Size)
		}
		data[3] = byte(code)<<4 | data[3]&0x0F
	}
	if s.MHz != 0 {
		// In order: of two codes for a clock the C6's ROM wants the lower (esp32c6.py).
		for _, code := range slices.Sorted(maps.Keys(clockDividers)) {
			if mhz, _ := img.flashMHz(code); mhz == s.MHz {
				data[3] = data[3]&0xF0 | code
				return nil
			}
		}
		return fmt.Errorf("flash clock of %d MHz: the %s has none such", s.MHz, img.Chip)
	}
	return nil
}
