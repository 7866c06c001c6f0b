//go:build usbvm

package usbvm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"hoptech.co.nz/flashd/internal/firmware"
)

// images is where the releases are in the machine.
const images = "/tmp/firmware-images"

// release is a small one, made once for all tests: the machine has no
// processor of its own, and every unit gets all of it.
var release = sync.OnceValues(func() (*firmware.Release, error) {
	demo, err := firmware.Demo("/tmp/demo", "demo", "esp32s3")
	if err != nil {
		return nil, err
	}
	build, err := os.MkdirTemp("", "build")
	if err != nil {
		return nil, err
	}
	// As PlatformIO leaves them.
	files := map[string][]byte{"firmware.bin": application(64 << 10)}
	for _, s := range demo.Segments {
		switch s.Offset {
		case 0:
			files["bootloader.bin"] = s.Data
		case 0x8000:
			files["partitions.bin"] = s.Data
		}
	}
	for name, data := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(build, name), data, 0o644))
	}
	if err != nil {
		return nil, err
	}
	return firmware.Import(images, "small", build, firmware.ImportOptions{})
})

// application is an ESP32-S3 image (esp-idf
// components/bootloader_support/include/esp_app_format.h) of about n bytes that
// do not compress.
func application(n int) []byte {
	const (
		esp32s3 = 9
		entry   = 0x40374000
		flash   = 0x3C000020 // as far into a page as the first segment is into the file
		ram     = 0x40374000
	)
	description := make([]byte, 256)
	binary.LittleEndian.PutUint32(description, 0xABCD5432)
	copy(description[16:], "1.0.0")
	copy(description[48:], "small")
	code := make([]byte, n&^3)
	rand.NewChaCha8([32]byte{}).Read(code) //nolint:errcheck // never fails

	image := make([]byte, 24)
	copy(image, []byte{0xE9, 2, 2, 0x3F}) // two segments, DIO, 8 MB at 80 MHz
	binary.LittleEndian.PutUint32(image[4:], entry)
	image[8] = 0xEE
	binary.LittleEndian.PutUint16(image[12:], esp32s3)
	image[17], image[18], image[23] = 0xFF, 0xFF, 1
	sum := byte(0xEF)
	for _, s := range []struct {
		address uint32
		data    []byte
	}{{flash, description}, {ram, code}} {
		image = binary.LittleEndian.AppendUint32(image, s.address)
		image = binary.LittleEndian.AppendUint32(image, uint32(len(s.data)))
		image = append(image, s.data...)
		for _, c := range s.data {
			sum ^= c
		}
	}
	image = append(image, bytes.Repeat([]byte{0}, 15-len(image)%16)...)
	image = append(image, sum)
	digest := sha256.Sum256(image)
	return append(image, digest[:]...)
}
