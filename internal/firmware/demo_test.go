package firmware_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

func TestDemo(t *testing.T) {
	for _, chip := range flasher.Chips {
		t.Run(chip.Name, func(t *testing.T) {
			imagesDir, r := demo(t, chip.Name)
			if !r.Demo || r.Chip != chip.Name || r.Source != "demo" || r.Project != "gateway-demo" || r.Version != "1.0.0" {
				t.Errorf("%+v", r)
			}
			if r.NVS != (firmware.Partition{Label: "nvs", Offset: 0x9000, Size: 0x5000}) {
				t.Errorf("NVS partition %+v", r.NVS)
			}
			var places []string
			for _, s := range r.Segments {
				places = append(places, s.Name)
			}
			if diff := cmp.Diff([]string{"bootloader", "partition-table", "otadata", "app0"}, places); diff != "" {
				t.Error(diff)
			}
			loaded, err := firmware.Load(imagesDir, "demo")
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Digest != r.Digest || loaded.Bytes() != r.Bytes() {
				t.Errorf("made %s with %d bytes, loaded %s with %d", r.Digest, r.Bytes(), loaded.Digest, loaded.Bytes())
			}
		})
	}
}

// The demo takes as long to transfer as firmware of its size.
func TestDemoCompressesLikeFirmware(t *testing.T) {
	app := parts(t, "esp32s3")["app0"]
	if len(app) < 1_350_000 || len(app) > 1_500_000 {
		t.Errorf("the application has %d bytes, want about 1.4 MB", len(app))
	}
	var packed bytes.Buffer
	w, err := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(app); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if ratio := float64(packed.Len()) / float64(len(app)); ratio < 0.55 || ratio > 0.75 {
		t.Errorf("it compresses to %.3f, want 0.55 to 0.75", ratio)
	}
}

// Code that a chip runs from flash has to lie as far from the start of a 64 KiB
// page in memory as in flash, or the bootloader refuses it.
func TestDemoMapsPages(t *testing.T) {
	for _, chip := range flasher.Chips {
		img, err := flasher.ParseImage(parts(t, chip.Name)["app0"])
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, 3} {
			if s := img.Segments[i]; s.Address%0x10000 != uint32(s.Offset)%0x10000 {
				t.Errorf("%s: segment %d is at %#x in memory but at %#x in the image", chip, i, s.Address, s.Offset)
			}
		}
	}
}

func TestDemoRefuses(t *testing.T) {
	imagesDir, _ := demo(t, "esp32s3")
	if _, err := firmware.Demo(imagesDir, "demo", "esp32s3"); !errors.Is(err, firmware.ErrExists) {
		t.Errorf("a second one: error %v", err)
	}
	if _, err := firmware.Demo(imagesDir, "other", "esp8266"); !errors.Is(err, flasher.UnknownChip) {
		t.Errorf("another chip: error %v", err)
	}
}
