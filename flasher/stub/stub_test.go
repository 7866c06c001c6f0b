package stub

import (
	"errors"
	"io/fs"
	"testing"
)

// Every image that SHA256SUMS names is either the right one or missing whole.
func TestEveryListedImage(t *testing.T) {
	all := checksums()
	if len(all) != 11 {
		t.Fatalf("SHA256SUMS lists %d files, want 11", len(all))
	}
	for name := range all {
		chip := name[:len(name)-len(".json")]
		image, err := For(chip)
		if _, statErr := fs.Stat(files, name); statErr != nil {
			if !errors.Is(err, ErrMissing) {
				t.Errorf("%s: file absent, got error %v, want ErrMissing", chip, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", chip, err)
			continue
		}
		if text := image.TextStart; image.Entry < text || image.Entry >= text+uint32(len(image.Text)) {
			t.Errorf("%s: entry %#x lies outside its code [%#x, +%#x)", chip, image.Entry, text, len(image.Text))
		}
		if len(image.Data) == 0 || image.DataStart == 0 {
			t.Errorf("%s: no data segment or no bss", chip)
		}
	}
}

func TestUnknownChip(t *testing.T) {
	for _, chip := range []string{"esp8266", "package", "../stub", ""} {
		if _, err := For(chip); !errors.Is(err, ErrMissing) {
			t.Errorf("For(%q) = %v, want ErrMissing", chip, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"entry":1,"text":"AAAA","text_start":1,"data":"","data_start":0,"bss_start":0}`))
	f.Add([]byte(`{"entry":-1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		image, err := parse("fuzz", raw)
		if err == nil && (image.Entry == 0 || len(image.Text) == 0) {
			t.Fatal("accepted an image without code")
		}
	})
}
