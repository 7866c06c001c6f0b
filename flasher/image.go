package flasher

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Numbers of the image format, little-endian throughout
// (esp-idf components/bootloader_support/include/esp_app_format.h).
const (
	imageMagic       = 0xE9
	imageHeaderSize  = 24
	segmentHeader    = 8  // load address, length
	maxImageSegments = 16 // ESP_IMAGE_MAX_SEGMENTS
	maxSegmentSize   = 1 << 24
	checksumAlign    = 16 // the checksum is the last byte of a 16-byte line
)

// Image is an application or bootloader image as the build made it, checked.
type Image struct {
	Chip     string // name of the chip it is built for: "esp32s3"
	Entry    uint32 // address of the first instruction
	Segments []ImageSegment

	FlashMode string // as esptool names it: "qio", "dio", …
	FlashSize int    // bytes that the image believes the flash has
	FlashMHz  int    // flash clock

	// MinRevision and MaxRevision bound the chip revisions the image runs on,
	// as major·100 + minor. A MaxRevision of 0 or 65535 is no bound.
	MinRevision, MaxRevision uint16

	// Hashed: a SHA-256 of the image follows it, and agrees.
	Hashed bool
	// Size is the length of the image in bytes, with checksum and SHA-256.
	// What ParseImage was given may be longer: padding or a signature.
	Size int

	App *AppDescription // what the application says about itself; nil for a bootloader
}

// ImageSegment is one part of an image.
type ImageSegment struct {
	Address uint32 // where it is loaded to or mapped at
	Offset  int    // of Data from the start of the image
	Data    []byte
}

// ParseImage reads an image and checks its header, segments, checksum and
// appended SHA-256. Errors are of kind BadImage. The image refers to data.
func ParseImage(data []byte) (*Image, error) {
	img, err := parseImage(data)
	if err != nil {
		return nil, &Error{Op: "read image", Kind: BadImage, Err: err}
	}
	return img, nil
}

func parseImage(data []byte) (*Image, error) {
	img, count, err := parseImageHeader(data)
	if err != nil {
		return nil, err
	}
	end, err := img.readSegments(data, count)
	if err != nil {
		return nil, err
	}
	if end, err = img.readChecksum(data, end); err != nil {
		return nil, err
	}
	if img.Hashed {
		if end, err = readDigest(data, end); err != nil {
			return nil, err
		}
	}
	img.Size = end
	img.App = parseAppDescription(img.Segments[0].Data)
	return img, nil
}

// parseImageHeader also returns the number of segments that follow.
func parseImageHeader(data []byte) (*Image, int, error) {
	if len(data) < imageHeaderSize {
		return nil, 0, fmt.Errorf("%d bytes are too few for an image", len(data))
	}
	if data[0] != imageMagic {
		return nil, 0, fmt.Errorf("it starts with %02X, not with E9 as images do", data[0])
	}
	count := int(data[1])
	if count < 1 || count > maxImageSegments {
		return nil, 0, fmt.Errorf("%d segments: want 1 to %d", count, maxImageSegments)
	}
	chipID := binary.LittleEndian.Uint16(data[12:])
	chip := chipByImageID(chipID)
	if chip == nil {
		return nil, 0, fmt.Errorf("chip ID %d is of no chip known here", chipID)
	}
	hashed := data[23]
	if hashed > 1 {
		return nil, 0, fmt.Errorf("header byte 23 (SHA-256 appended) is %d: want 0 or 1", hashed)
	}
	img := &Image{
		Chip:        chip.Name,
		Entry:       binary.LittleEndian.Uint32(data[4:]),
		MinRevision: binary.LittleEndian.Uint16(data[15:]),
		MaxRevision: binary.LittleEndian.Uint16(data[17:]),
		Hashed:      hashed == 1,
	}
	if img.MinRevision == 0 { // built before revisions had a minor number
		img.MinRevision = uint16(data[14]) * 100
	}
	if err := img.readFlashSettings(data[2], data[3]); err != nil {
		return nil, 0, err
	}
	return img, count, nil
}

// flashModes are the header's third byte (esp_image_spi_mode_t).
var flashModes = []string{"qio", "qout", "dio", "dout", "fast_read", "slow_read"}

// readFlashSettings reads the header's flash mode byte, and the byte with the
// flash size in its high and the clock in its low half.
func (img *Image) readFlashSettings(mode, sizeClock byte) error {
	if int(mode) >= len(flashModes) {
		return fmt.Errorf("flash mode %d: want 0 to %d", mode, len(flashModes)-1)
	}
	img.FlashMode = flashModes[mode]
	size := sizeClock >> 4
	if size > largestFlash {
		return fmt.Errorf("flash size code %d: want 0 to %d", size, largestFlash)
	}
	img.FlashSize = 1 << 20 << size
	mhz, ok := img.flashMHz(sizeClock & 0xF)
	if !ok {
		return fmt.Errorf("flash clock code %d: want 0, 1, 2 or 15", sizeClock&0xF)
	}
	img.FlashMHz = mhz
	return nil
}

// largestFlash is the code of 128 MiB, the largest size that a header can name.
const largestFlash = 7

// clockDividers are the header's codes for the flash clock, divided by 2, 3, 4
// or not at all (esp_image_spi_freq_t).
var clockDividers = map[byte]int{0x0: 2, 0x1: 3, 0x2: 4, 0xF: 1}

// flashMHz returns the clock that a code stands for.
func (img *Image) flashMHz(code byte) (mhz int, ok bool) {
	divider, ok := clockDividers[code]
	if !ok {
		return 0, false
	}
	if code == 0 && img.Chip == ESP32C6.Name {
		divider = 1 // its ROM divides wrongly, so the builds write 0 for the full clock (esptool/targets/esp32c6.py)
	}
	return flashClock(img.Chip) / divider, true
}

// flashClock is the undivided clock of a chip's flash in MHz
// (FLASH_FREQUENCY in esptool/targets).
func flashClock(chip string) int {
	switch chip {
	case ESP32C2.Name:
		return 60
	case ESP32H2.Name:
		return 48
	default:
		return 80
	}
}

// readSegments returns where the last segment ends.
func (img *Image) readSegments(data []byte, count int) (int, error) {
	at := imageHeaderSize
	for i := range count {
		if len(data)-at < segmentHeader {
			return 0, fmt.Errorf("it is cut off: no room for segment %d of %d", i, count)
		}
		address := binary.LittleEndian.Uint32(data[at:])
		size := binary.LittleEndian.Uint32(data[at+4:])
		at += segmentHeader
		switch {
		case size%4 != 0 || size >= maxSegmentSize:
			return 0, fmt.Errorf("segment %d has %d bytes: want a multiple of 4 under 16 MiB", i, size)
		case uint64(size) > uint64(len(data)-at):
			return 0, fmt.Errorf("it is cut off: segment %d has %d bytes, the file ends after %d", i, size, len(data)-at)
		}
		img.Segments = append(img.Segments, ImageSegment{Address: address, Offset: at, Data: data[at : at+int(size)]})
		at += int(size)
	}
	return at, nil
}

// readChecksum compares the XOR of all segments' bytes with the byte that ends
// the 16-byte line after them, and returns where that line ends.
func (img *Image) readChecksum(data []byte, at int) (int, error) {
	end := (at + checksumAlign) &^ (checksumAlign - 1)
	if end > len(data) {
		return 0, fmt.Errorf("it is cut off: no checksum at %#x", end-1)
	}
	sum := byte(checksumSeed) // ESP_ROM_CHECKSUM_INITIAL, that of the loader too
	for _, s := range img.Segments {
		for _, b := range s.Data {
			sum ^= b
		}
	}
	if stored := data[end-1]; stored != sum {
		return 0, fmt.Errorf("its checksum is %02X, but its bytes give %02X: the file is damaged", stored, sum)
	}
	return end, nil
}

// readDigest compares the SHA-256 at at with that of all before it.
func readDigest(data []byte, at int) (int, error) {
	end := at + sha256.Size
	if end > len(data) {
		return 0, fmt.Errorf("it is cut off: no SHA-256 at %#x", at)
	}
	if sum := sha256.Sum256(data[:at]); !bytes.Equal(sum[:], data[at:end]) {
		return 0, fmt.Errorf("its SHA-256 does not match its bytes: the file is damaged")
	}
	return end, nil
}

// AppDescription is what an application image tells about itself.
type AppDescription struct {
	Project string // name of the project
	Version string
	Time    string // of the build, as the compiler writes it: "14:07:33"
	Date    string // "Mar  4 2026"
	IDF     string // version of ESP-IDF
}

// Numbers of esp_app_desc_t (esp-idf components/esp_app_format/include/esp_app_desc.h).
const (
	appMagic           = 0xABCD5432
	appDescriptionSize = 256
)

// parseAppDescription returns nil where there is none: it stands at the start
// of the first segment of an application, and never in a bootloader.
func parseAppDescription(segment []byte) *AppDescription {
	if len(segment) < appDescriptionSize || binary.LittleEndian.Uint32(segment) != appMagic {
		return nil
	}
	return &AppDescription{
		Version: cString(segment[16:48]),
		Project: cString(segment[48:80]),
		Time:    cString(segment[80:96]),
		Date:    cString(segment[96:112]),
		IDF:     cString(segment[112:144]),
	}
}

// cString is the printable text before the first NUL.
func cString(field []byte) string {
	text, _, _ := bytes.Cut(field, []byte{0})
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r == utf8.RuneError {
			return -1
		}
		return r
	}, text))
}
