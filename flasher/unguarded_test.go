package flasher_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
)

// flipPort is a line on which a bit of one command flips.
type flipPort struct {
	flasher.Port
	op  flasher.Opcode
	nth int // of the commands with op, from 1
	bit int // of what is in the frame

	sent int // bytes before that command
}

func (p *flipPort) Write(b []byte) (int, error) {
	const opcode = 2 // behind END and direction
	if len(b) > opcode && flasher.Opcode(b[opcode]) == p.op {
		if p.nth--; p.nth == 0 {
			_, err := p.Port.Write(slip.Append(nil, flipped(b, p.bit)))
			return len(b), err
		}
	}
	if p.nth > 0 {
		p.sent += len(b)
	}
	return p.Port.Write(b)
}

// flipped is what is in a frame, with one bit changed; -1 is none.
func flipped(frame []byte, bit int) (payload []byte) {
	var d slip.Decoder
	d.Write(frame, func(p []byte) { payload = slices.Clone(p) })
	if bit >= 0 {
		payload[bit/8] ^= 1 << (bit % 8)
	}
	return payload
}

// fullFlash is a session with a chip whose flash is full, and in which what is
// lost shows therefore.
type fullFlash struct {
	app, nvs *flasher.Packed
	held     []byte // before
	want     []byte // afterwards
}

func newFullFlash(t *testing.T) fullFlash {
	t.Helper()
	const size = 512 << 10
	app, nvs := codeLike(0x6000), codeLike(0x1000)
	f := fullFlash{
		app: pack(t, "app", 0x10000, app), nvs: pack(t, "nvs", 0x9000, nvs),
		held: bytes.Repeat([]byte("something else! "), size/16),
	}
	f.want = slices.Clone(f.held)
	copy(f.want[f.app.Offset:], app)
	copy(f.want[f.nvs.Offset:], nvs)
	return f
}

func (f fullFlash) chip(t *testing.T, faults ...espsim.Fault) *espsim.Chip {
	t.Helper()
	chip := espsim.New(espsim.Config{Model: espsim.ESP32C3, MAC: testMAC, Flash: espsim.NewFlash(len(f.held)), Faults: faults})
	if err := chip.Flash().Program(0, f.held); err != nil {
		t.Fatal(err)
	}
	return chip
}

// session writes both segments and verifies them behind the last write.
func (f fullFlash) session(t *testing.T, port flasher.Port, noStub bool) error {
	t.Helper()
	d, err := flasher.Open(t.Context(), port, flasher.Options{NoStub: noStub})
	if err != nil {
		return err
	}
	defer d.Close()
	for _, p := range []*flasher.Packed{f.app, f.nvs} {
		if err := d.WriteFlash(t.Context(), p, nil); err != nil {
			return err
		}
	}
	return errors.Join(d.Verify(t.Context(), f.app), d.Verify(t.Context(), f.nvs))
}

// check compares the flash of a chip behind a session that went well.
func (f fullFlash) check(t *testing.T, chip *espsim.Chip, noStub bool) {
	t.Helper()
	got := chip.Flash().Bytes()
	if noStub { // a ROM does not tell that it has erased more
		for _, p := range []*flasher.Packed{f.app, f.nvs} {
			if from, to := int(p.Offset), int(p.Offset)+p.Size; !bytes.Equal(got[from:to], f.want[from:to]) {
				t.Errorf("%s was verified, and the flash holds something else", p.Name)
			}
		}
		return
	}
	if !bytes.Equal(got, f.want) {
		t.Error("all was verified, and something else in the flash is lost")
	}
}

// A session whose every Verify agrees has left in the flash what it wrote, and
// with the stub nothing else, whatever bit of a command without checksum flips.
func TestFlippedBits(t *testing.T) {
	const header, word = 8 * 8, 32 // bits
	f := newFullFlash(t)
	for _, noStub := range []bool{false, true} {
		for _, tc := range []struct {
			op        flasher.Opcode
			nth       int
			from, end int  // bits
			mended    bool // without an error
		}{
			{flasher.FlashDeflBegin, 2, 0, header + 4*word, false},
			{flasher.SPISetParams, 1, header + word, header + 5*word, true}, // is said again
		} {
			t.Run(fmt.Sprintf("%v %d/ROM %v", tc.op, tc.nth, noStub), func(t *testing.T) {
				ended := 0
				for bit := tc.from; bit < tc.end; bit++ {
					synctest.Test(t, func(t *testing.T) {
						chip := f.chip(t)
						defer chip.Close()
						if err := f.session(t, &flipPort{Port: openPort(t, chip), op: tc.op, nth: tc.nth, bit: bit}, noStub); err != nil {
							ended++
							return
						}
						f.check(t, chip, noStub)
						if t.Failed() {
							t.Logf("with bit %d", bit)
						}
					})
				}
				t.Logf("%d of %d ended with an error", ended, tc.end-tc.from)
				if tc.mended && ended > 0 {
					t.Error("none should")
				}
			})
		}
	}
}

// The line garbles where to write, or how much of it, and nothing else.
func TestGarbledBegin(t *testing.T) {
	const size, offset = 1 + 8, 1 + 8 + 12 // in the frame; no byte before is escaped
	f := newFullFlash(t)
	for name, tc := range map[string]struct {
		at   int
		want error
	}{
		"size":   {size + 1, flasher.Astray},     // 0x1000 → 0xEF00
		"offset": {offset + 1, flasher.Mismatch}, // 0x9000 → 0x6F00
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := f.chip(t)
				line := &flipPort{Port: openPort(t, chip), op: flasher.FlashDeflBegin, nth: 2, bit: -1}
				if err := f.session(t, line, false); err != nil {
					t.Fatal(err)
				}
				chip.Close()
				chip = f.chip(t, espsim.Fault{Kind: espsim.GarbleByte, Byte: int64(line.sent + tc.at)})
				defer chip.Close()
				if err := f.session(t, openPort(t, chip), false); !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
				if bytes.Equal(chip.Flash().Bytes(), f.want) {
					t.Error("nothing went astray")
				}
			})
		})
	}
}

// What is read from elsewhere is not taken for what was asked for, and a digest of
// elsewhere for no failure of the flash.
func TestFlippedQuestions(t *testing.T) {
	const sector = 8*(8+1) + 4 // the bit of an offset that makes 0x8000 out of 0x9000
	f := newFullFlash(t)
	for noStub, read := range map[bool]flasher.Opcode{false: flasher.ReadFlash, true: flasher.ReadFlashSlow} {
		synctest.Test(t, func(t *testing.T) {
			chip := f.chip(t)
			defer chip.Close()
			line := &flipPort{Port: openPort(t, chip), bit: sector}
			d, err := flasher.Open(t.Context(), line, flasher.Options{NoStub: noStub})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := d.WriteFlash(t.Context(), f.nvs, nil); err != nil {
				t.Fatal(err)
			}
			line.op, line.nth = read, 1
			if got, err := d.ReadFlash(t.Context(), f.nvs.Offset, 512, nil); !errors.Is(err, flasher.BadFrame) || got != nil {
				t.Errorf("%v: %d bytes and %v, want %v", read, len(got), err, flasher.BadFrame)
			}
			line.op, line.nth = flasher.SPIFlashMD5, 1
			if err := d.Verify(t.Context(), f.nvs); err != nil || line.nth >= 0 {
				t.Errorf("Verify: %v, with %d questions to come", err, line.nth)
			}
		})
	}
}
