package flasher_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
)

// testImage builds an image of segments whose lengths are multiples of 4.
func testImage(chipID uint16, segments ...[]byte) []byte {
	data := []byte{0xE9, byte(len(segments)), 2, 0x3F}
	data = binary.LittleEndian.AppendUint32(data, 0x40374000)
	data = append(data, 0xEE, 0, 0, 0)
	data = binary.LittleEndian.AppendUint16(data, chipID)
	data = append(data, 0, 3, 0, 0x63, 0, 0, 0, 0, 0, 1) // revisions 3 to 99
	sum := byte(0xEF)
	for i, s := range segments {
		data = binary.LittleEndian.AppendUint32(data, 0x3C000020+uint32(i)<<16)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(s)))
		data = append(data, s...)
		for _, b := range s {
			sum ^= b
		}
	}
	for len(data)%16 != 15 {
		data = append(data, 0)
	}
	data = append(data, sum)
	return hashed(data)
}

func hashed(data []byte) []byte {
	digest := sha256.Sum256(data)
	return append(data, digest[:]...)
}

func testAppSegment() []byte {
	s := make([]byte, 256)
	binary.LittleEndian.PutUint32(s, 0xABCD5432)
	copy(s[16:], "1.4.2")
	copy(s[48:], "gateway")
	copy(s[80:], "14:07:33")
	copy(s[96:], "Mar  4 2026")
	copy(s[112:], "v5.5.1")
	return s
}

func TestParseImage(t *testing.T) {
	app, code := testAppSegment(), []byte("some machine code...")
	data := testImage(9, app, code)
	want := &flasher.Image{
		Chip:  "esp32s3",
		Entry: 0x40374000,
		Segments: []flasher.ImageSegment{
			{Address: 0x3C000020, Offset: 32, Data: app},
			{Address: 0x3C010020, Offset: 296, Data: code},
		},
		FlashMode: "dio", FlashSize: 8 << 20, FlashMHz: 80,
		MinRevision: 3, MaxRevision: 99,
		Hashed: true, Size: len(data),
		App: &flasher.AppDescription{Project: "gateway", Version: "1.4.2", Time: "14:07:33", Date: "Mar  4 2026", IDF: "v5.5.1"},
	}
	// What follows an image (padding, a signature) is not part of it.
	for _, tail := range []string{"", "\xff\xff\xff", strings.Repeat("\xe7", 4096)} {
		got, err := flasher.ParseImage(append(bytes.Clone(data), tail...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestParseImageChecksumLine(t *testing.T) {
	// The checksum has a line of its own where the segments fill the last one.
	for size := 4; size <= 32; size += 4 {
		data := testImage(5, make([]byte, size))
		img, err := flasher.ParseImage(data)
		if err != nil {
			t.Fatalf("segment of %d bytes: %v", size, err)
		}
		if img.Size != len(data) || img.App != nil {
			t.Errorf("segment of %d bytes: size %d, app %v", size, img.Size, img.App)
		}
	}
}

func TestParseImageWithoutDigest(t *testing.T) {
	data := testImage(0, make([]byte, 64))
	data[23] = 0
	img, err := flasher.ParseImage(data[:len(data)-sha256.Size])
	if err != nil {
		t.Fatal(err)
	}
	if img.Hashed || img.Chip != "esp32" {
		t.Errorf("hashed %v, chip %s", img.Hashed, img.Chip)
	}
}

func TestParseImageFlashSettings(t *testing.T) {
	tests := []struct {
		chipID    uint16
		sizeClock byte
		size, mhz int
	}{
		{9, 0x2F, 4 << 20, 80},
		{9, 0x40, 16 << 20, 40},
		{0, 0x11, 2 << 20, 26},
		{0, 0x02, 1 << 20, 20},
		{12, 0x1F, 2 << 20, 60},
		{16, 0x20, 4 << 20, 24},
		{18, 0x7F, 128 << 20, 80},
		{13, 0x20, 4 << 20, 80},
		{13, 0x22, 4 << 20, 20},
	}
	for _, tt := range tests {
		data := testImage(tt.chipID, make([]byte, 16))
		data[3] = tt.sizeClock
		img, err := flasher.ParseImage(rehashed(data))
		if err != nil {
			t.Errorf("chip %d, byte %02x: %v", tt.chipID, tt.sizeClock, err)
			continue
		}
		if img.FlashSize != tt.size || img.FlashMHz != tt.mhz {
			t.Errorf("chip %d, byte %02x: %d bytes at %d MHz, want %d at %d", tt.chipID, tt.sizeClock, img.FlashSize, img.FlashMHz, tt.size, tt.mhz)
		}
	}
}

func rehashed(data []byte) []byte { return hashed(data[:len(data)-sha256.Size]) }

func TestParseImageRefuses(t *testing.T) {
	set := func(at int, b byte) func([]byte) []byte {
		return func(d []byte) []byte { d[at] = b; return rehashed(d) }
	}
	tests := []struct {
		name   string
		damage func([]byte) []byte
		want   string
	}{
		{"empty", func([]byte) []byte { return nil }, "too few"},
		{"text", func([]byte) []byte { return []byte("<!DOCTYPE html><html><head>") }, "starts with 3C"},
		{"no segments", set(1, 0), "0 segments"},
		{"too many segments", set(1, 17), "17 segments"},
		{"flash mode", set(2, 6), "flash mode 6"},
		{"flash size", set(3, 0x8F), "flash size code 8"},
		{"flash clock", set(3, 0x25), "flash clock code 5"},
		{"unknown chip", set(12, 77), "chip ID 77"},
		{"hash flag", set(23, 2), "byte 23"},
		{"odd segment", set(28, 0x01), "segment 0 has"},
		{"huge segment", set(31, 0x01), "under 16 MiB"},
		{"segment beyond end", set(29, 0x20), "cut off"},
		{"payload", set(40, 0x55), "checksum"},
		{"hash", func(d []byte) []byte { d[len(d)-1] ^= 1; return d }, "SHA-256 does not match"},
		{"header byte", func(d []byte) []byte { d[8] = 0; return d }, "SHA-256 does not match"},
		{"without its hash", func(d []byte) []byte { return d[:len(d)-1] }, "no SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := flasher.ParseImage(tt.damage(testImage(9, testAppSegment(), make([]byte, 40))))
			if !errors.Is(err, flasher.BadImage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want bad_image with %q", err, tt.want)
			}
		})
	}
}

// Every cut of an image is refused, and none is read past its end.
func TestParseImageCut(t *testing.T) {
	data := testImage(9, testAppSegment(), make([]byte, 40))
	for n := range data {
		if _, err := flasher.ParseImage(data[:n:n]); !errors.Is(err, flasher.BadImage) {
			t.Fatalf("first %d of %d bytes: error %v", n, len(data), err)
		}
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add(testImage(9, testAppSegment(), make([]byte, 40)))
	f.Add(testImage(0, make([]byte, 4)))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := flasher.ParseImage(data)
		if err != nil {
			if !errors.Is(err, flasher.BadImage) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if img.Size > len(data) {
			t.Fatalf("size %d of %d bytes", img.Size, len(data))
		}
		// An image is whole within its size, and the same without what follows.
		again, err := flasher.ParseImage(data[:img.Size:img.Size])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(img, again); diff != "" {
			t.Fatal(diff)
		}
		// A byte of it changed is noticed.
		if img.Hashed {
			changed := bytes.Clone(data[:img.Size])
			changed[img.Size/2] ^= 0x40
			if _, err := flasher.ParseImage(changed); err == nil {
				t.Fatal("a changed byte went unnoticed")
			}
		}
	})
}
