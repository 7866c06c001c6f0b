package flasher_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"hoptech.co.nz/flashd/flasher"
)

func TestPatchImage(t *testing.T) {
	full := testImage(9, []byte("boot"))
	plain := bytes.Clone(full[:len(full)-sha256.Size])
	plain[23] = 0 // no SHA-256 follows
	for name, image := range map[string][]byte{"plain": plain, "hashed": append(full, "what follows stays"...)} {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(image)
			patched, err := flasher.PatchImage(image, flasher.FlashSettings{Mode: "qio", Size: 8 << 20, MHz: 40})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(image, before) {
				t.Error("the build's own image was changed")
			}
			img, err := flasher.ParseImage(patched) // checks the SHA-256
			if err != nil {
				t.Fatal(err)
			}
			if img.FlashMode != "qio" || img.FlashSize != 8<<20 || img.FlashMHz != 40 {
				t.Errorf("it says %s, %d bytes, %d MHz", img.FlashMode, img.FlashSize, img.FlashMHz)
			}
			if name == "hashed" && !bytes.HasSuffix(patched, []byte("what follows stays")) {
				t.Error("what stands behind the image was changed")
			}
			same, err := flasher.PatchImage(image, flasher.FlashSettings{})
			if err != nil || !bytes.Equal(same, image) {
				t.Errorf("without settings: %v, changed %v", err, !bytes.Equal(same, image))
			}
		})
	}
	c6 := testImage(13, []byte("boot"))
	for range 20 { // two codes mean 80 MHz there, of which its ROM gets on with one
		if patched, err := flasher.PatchImage(c6, flasher.FlashSettings{MHz: 80}); err != nil || patched[3]&0xF != 0 {
			t.Fatalf("80 MHz on a C6: %v, byte %02x", err, patched[3])
		}
	}
	for _, s := range []flasher.FlashSettings{{Mode: "quick"}, {Size: 3 << 20}, {Size: 256 << 20}, {Size: 1 << 19}, {MHz: 33}} {
		if _, err := flasher.PatchImage(plain, s); !errors.Is(err, flasher.BadImage) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if _, err := flasher.PatchImage([]byte("no image"), flasher.FlashSettings{}); !errors.Is(err, flasher.BadImage) {
		t.Errorf("no image: %v", err)
	}
}
