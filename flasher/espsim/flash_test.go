package espsim_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// TestFlash does the same to a flash in memory and to one in a file.
func TestFlash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unit.bin")
	inFile, err := espsim.OpenFlash(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*espsim.Flash{"memory": espsim.NewFlash(1 << 20), "file": inFile} {
		t.Run(name, func(t *testing.T) {
			want := bytes.Repeat([]byte{0xFF}, 1<<20)
			check := func(what string) {
				t.Helper()
				if !bytes.Equal(f.Bytes(), want) {
					t.Fatalf("%s: the content is wrong", what)
				}
			}
			check("new")
			program(t, f, 0xFFE, []byte{0xF0, 0x0F, 0xAA})
			copy(want[0xFFE:], []byte{0xF0, 0x0F, 0xAA})
			check("programmed over a border")
			program(t, f, 0xFFE, []byte{0x3C, 0xFF, 0x55})
			copy(want[0xFFE:], []byte{0x30, 0x0F, 0x00})
			check("programmed again: bits only go to 0")
			if err := f.Erase(0x1000, 0x1000); err != nil {
				t.Fatal(err)
			}
			want[0x1000] = 0xFF
			check("erased the second sector")
			program(t, f, 1<<20-1, []byte{1, 2})
			want[1<<20-1], want[0] = 1, 2
			check("programmed over the end, which wraps")

			p := make([]byte, 4)
			if n, err := f.ReadAt(p, 1<<20-2); n != 2 || !errors.Is(err, io.EOF) || p[1] != 1 {
				t.Errorf("ReadAt at the end: %d, %v, %x", n, err, p)
			}
			if _, err := f.ReadAt(p, 1<<20); !errors.Is(err, io.EOF) {
				t.Errorf("ReadAt behind the end: %v", err)
			}
		})
	}
}

// TestFlashFileIsWrittenThrough reads the file while the flash is open, as one
// finds it after a kill.
func TestFlashFileIsWrittenThrough(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unit.bin")
	f, err := espsim.OpenFlash(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	program(t, f, 0x1234, []byte("here"))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) != 1<<20 || string(raw[0x1234:0x1238]) != "here" || raw[0x1238] != 0xFF {
		t.Errorf("the file holds %d bytes, %q at 0x1234", len(raw), raw[0x1234:0x1239])
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := espsim.OpenFlash(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !bytes.Equal(again.Bytes(), raw) {
		t.Error("opened again, it holds something else")
	}
	if _, err := espsim.OpenFlash(path, 2<<20); err == nil || !strings.Contains(err.Error(), "holds 1048576 bytes, not 2097152") {
		t.Errorf("opened with another size: %v", err)
	}
}

func TestFlashSizes(t *testing.T) {
	for size, ok := range map[int]bool{
		1 << 20: true, 8 << 20: true, 128 << 20: true,
		0: false, -1: false, 1 << 19: false, 3 << 20: false, 256 << 20: false,
	} {
		if err := espsim.CheckFlashSize(size); (err == nil) != ok {
			t.Errorf("size %d: %v", size, err)
		}
	}
}
