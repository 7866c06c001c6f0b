package firmware_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"os"
	"path/filepath"
	"testing"

	"hoptech.co.nz/flashd/internal/firmware"
)

// app loads the demo and returns its application.
func app(t *testing.T, imagesDir string) firmware.Segment {
	t.Helper()
	r, err := firmware.Load(imagesDir, "demo")
	if err != nil {
		t.Fatal(err)
	}
	return r.Segments[len(r.Segments)-1]
}

// A release is compressed when it is imported, not for each unit.
func TestReleaseKeepsItsCompressedForm(t *testing.T) {
	imagesDir, _ := demo(t, "esp32s3")
	s := app(t, imagesDir)
	r, err := zlib.NewReader(bytes.NewReader(s.Deflated))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, s.Data) {
		t.Errorf("it inflates to %d bytes that are not the application: %v", len(data), err)
	}
	packed, err := s.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got := packed.Deflated(); &got[0] != &s.Deflated[0] {
		t.Error("it is compressed once more")
	}
}

// What stands beside an image cannot change what a unit gets.
func TestCompressedFormIsNotTrusted(t *testing.T) {
	imagesDir, r := demo(t, "esp32s3")
	want, err := app(t, imagesDir).Pack()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(imagesDir, "demo", "app0.bin.zlib")
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(original)
	flipped[len(flipped)/2] ^= 1
	write := func(data []byte) func() error {
		return func() error { return os.WriteFile(path, data, 0o644) }
	}
	for name, put := range map[string]func() error{
		"a bit flipped":   write(flipped),
		"another image's": write(r.Segments[0].Deflated),
		"emptied":         write(nil),
		"removed":         func() error { return nil },
		"a folder":        func() error { return os.Mkdir(path, 0o755) },
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		loaded, err := firmware.Load(imagesDir, "demo")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := loaded.Segments[len(loaded.Segments)-1].Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got.MD5 != want.MD5 || !bytes.Equal(got.Deflated(), original) || loaded.Digest != r.Digest {
			t.Errorf("%s: packed to something else", name)
		}
	}
}
