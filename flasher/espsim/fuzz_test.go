package espsim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// blank is a flash that begins with some bytes.
func holding(b []byte) *bytes.Reader {
	return bytes.NewReader(append(bytes.Clone(b), bytes.Repeat([]byte{0xFF}, 4096)...))
}

func FuzzCheckImage(f *testing.F) {
	f.Add([]byte{0xE9, 1, 0, 0, 0, 0, 0, 0})
	f.Add(append([]byte{0xE9, 1, 22: 0, 23: 1}, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4, 0xEF))
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := checkImage(holding(raw), 0, int64(len(raw)), 0)
		if err == nil && len(img.segments) == 0 {
			t.Fatal("an image without segments is valid")
		}
	})
}

func FuzzTable(f *testing.F) {
	f.Add(append([]byte{0xAA, 0x50, 1, 2, 0, 0x90, 0, 0, 0, 0x50, 0, 0}, "nvs"...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows := readTable(holding(append(make([]byte, tableOffset), raw...)))
		if len(rows) > tableSize/rowSize {
			t.Fatalf("%d rows in a table of %d", len(rows), tableSize/rowSize)
		}
		bootable(holding(raw), rows)
		tableLog(rows)
	})
}

// FuzzNVS fuzzes the entries of a page; everything around them, CRCs too, is
// right, so that they are read.
func FuzzNVS(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\xff\x00\x00\x00\x00gateway\x00"))
	f.Add([]byte("\x01\x21\xff\xff\x00\x00\x00\x00mqtt_user\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, entries []byte) {
		page := bytes.Repeat([]byte{0xFF}, nvsPage)
		page[0] = 0xFE
		binary.LittleEndian.PutUint32(page[28:], espCRC32(page[4:28]))
		fill(page[32:nvsFirst], 0b10101010)
		copy(page[nvsFirst:], entries)
		for e := range slices.Chunk(page[nvsFirst:], nvsEntry) {
			binary.LittleEndian.PutUint32(e[4:], espCRC32(append(bytes.Clone(e[:4]), e[8:]...)))
		}
		for key, value := range readNVS(page, "gateway") {
			if len(key) > 16 || len(value) > nvsPage {
				t.Fatalf("a key of %d bytes with a value of %d", len(key), len(value))
			}
		}
	})
}

func FuzzParseFault(f *testing.F) {
	f.Add("reject,op=0x11,nth=3")
	f.Add("stall,for=5s")
	f.Fuzz(func(t *testing.T, s string) {
		if fault, err := ParseFault(s); err == nil && fault.Kind == "" {
			t.Fatalf("%q is a fault of no kind", s)
		}
	})
}

// FuzzLoader sends anything to the ROM or to the stub: nothing may panic or
// hang the simulator.
func FuzzLoader(f *testing.F) {
	f.Add(false, []byte("\xc0\x00\x08\x24\x00\x00\x00\x00\x00\xc0"))
	f.Add(false, []byte("\xc0\x00\x10\x14\x00\x00\x00\x00\x00\x00\x04\x00\x00\x01\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc0"+
		"\xc0\x00\x11\x14\x00\xef\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x78\xda\x03\xc0"))
	f.Add(true, []byte("\xc0\x00\xd2\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x10\x00\x00\x40\x00\x00\x00\xc0"))
	f.Add(true, []byte("\xc0\x00\x11\x10\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc0"))
	f.Add(false, []byte("\xc0\x00\x03\x10\x00\xef\x00\x00\x00\x00\x21\x00\x00\x6d\xa9\xf1\x3f\x00\x00\x00\x00\x00\x00\x00\x00\xc0\xc0\xc0"))
	f.Fuzz(func(t *testing.T, inStub bool, raw []byte) {
		synctest.Test(t, func(t *testing.T) {
			model := []*Model{ESP32, ESP32S3, ESP32C3}[len(raw)%3]
			c := New(Config{Model: model, Flash: NewFlash(1 << 20)})
			defer c.Close()
			if err := c.powerUpHeld(t.Context()); err != nil {
				t.Fatal(err)
			}
			p, err := c.open(portKind{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			write := func(b []byte) {
				if _, err := p.Write(b); err != nil && !errors.Is(err, ErrDetached) {
					t.Fatal(err)
				}
			}
			write([]byte("\xc0\x00\x08\x24\x00\x00\x00\x00\x00\xc0"))
			if inStub {
				write([]byte("\xc0\x00\x05\x10\x00\x00\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x38\x40\xc0"))
				write([]byte("\xc0\x00\x07\x14\x00\xef\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc0"))
				write([]byte("\xc0\x00\x06\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x38\x40\xc0"))
				c.await(nil, Stub)
			}
			write(raw)
			time.Sleep(time.Second)
		})
	})
}

func FuzzTelnet(f *testing.F) {
	f.Add([]byte{255, 253, 44, 255, 250, 44, 1, 0, 1, 194, 0, 255, 240, 'x'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		synctest.Test(t, func(t *testing.T) {
			c := New(Config{Model: ESP32S3, Flash: NewFlash(1 << 20)})
			defer c.Close()
			p, err := c.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			tn := &telnet{port: p, conn: io.Discard, lines: lines{true, true}, holdBoth: true}
			defer tn.stopHolding()
			for _, b := range raw {
				if _, err := tn.byte(b); err != nil {
					return
				}
			}
		})
	})
}
