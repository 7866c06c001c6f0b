package espsim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// An application image as the ROM and the second-stage bootloader read it
// (ESP-IDF, esp_app_format.h): a header of 24 bytes, segments of address,
// length and data, padding up to a checksum in the last byte of a 16-byte line,
// and, if the header says so, a SHA-256 of all that.
const (
	imageHeader    = 24
	imageMagic     = 0xE9
	imageSegments  = 16 // at most
	appendedDigest = 23 // offset of the flag in the header
)

// segmentLoad is a segment as the boot log shows it.
type segmentLoad struct{ address, length uint32 }

// image is a valid image in flash.
type image struct {
	entry    uint32
	segments []segmentLoad
}

// headerError is an image whose first word is not a header.
type headerError struct{ word uint32 }

func (e headerError) Error() string { return fmt.Sprintf("invalid header: 0x%08x", e.word) }

// checkImage reads the image at an offset as the chip with that ID would.
// limit is the size of what it lies in, in bytes.
func checkImage(flash io.ReaderAt, offset, limit int64, chipID uint16) (*image, error) {
	var h [imageHeader]byte
	if _, err := flash.ReadAt(h[:], offset); err != nil {
		return nil, fmt.Errorf("image header: %w", err)
	}
	if h[0] != imageMagic || h[1] == 0 || h[1] > imageSegments {
		return nil, headerError{binary.LittleEndian.Uint32(h[:])}
	}
	if id := binary.LittleEndian.Uint16(h[12:]); id != chipID {
		return nil, fmt.Errorf("mismatch chip ID, expected %d, found %d", chipID, id)
	}
	img := &image{entry: binary.LittleEndian.Uint32(h[4:])}
	at, sum := int64(imageHeader), byte(0xEF)
	for range int(h[1]) {
		var s [8]byte
		if _, err := flash.ReadAt(s[:], offset+at); err != nil {
			return nil, fmt.Errorf("segment header: %w", err)
		}
		seg := segmentLoad{binary.LittleEndian.Uint32(s[:]), binary.LittleEndian.Uint32(s[4:])}
		at += int64(len(s))
		if int64(seg.length) > limit-at {
			return nil, fmt.Errorf("segment of %#x bytes goes beyond the partition", seg.length)
		}
		data := make([]byte, seg.length)
		if _, err := flash.ReadAt(data, offset+at); err != nil {
			return nil, fmt.Errorf("segment: %w", err)
		}
		for _, b := range data {
			sum ^= b
		}
		at += int64(seg.length)
		img.segments = append(img.segments, seg)
	}
	at |= 15
	var stored [1]byte
	if _, err := flash.ReadAt(stored[:], offset+at); err != nil {
		return nil, fmt.Errorf("checksum: %w", err)
	}
	if stored[0] != sum {
		return nil, fmt.Errorf("checksum failed, calculated 0x%x read 0x%x", sum, stored[0])
	}
	at++
	if h[appendedDigest] == 1 {
		return img, checkDigest(flash, offset, at)
	}
	return img, nil
}

// checkDigest compares the SHA-256 behind the image's n bytes.
func checkDigest(flash io.ReaderAt, offset, n int64) error {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(flash, offset, n)); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	var stored [sha256.Size]byte
	if _, err := flash.ReadAt(stored[:], offset+n); err != nil {
		return fmt.Errorf("image digest: %w", err)
	}
	if !bytes.Equal(hash.Sum(nil), stored[:]) {
		return errors.New("image hash failed - image is corrupt")
	}
	return nil
}
