package flasher_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
)

// lossyPort damages the delimiters of one data frame.
type lossyPort struct {
	flasher.Port
	damage func(frame []byte) []byte
	frames int // data frames until the damaged one
}

func (p *lossyPort) Write(b []byte) (int, error) {
	const opcode = 2 // behind END and direction
	if len(b) > opcode && flasher.Opcode(b[opcode]) == flasher.FlashDeflData {
		if p.frames--; p.frames == 0 {
			_, err := p.Port.Write(p.damage(slices.Clone(b)))
			return len(b), err
		}
	}
	return p.Port.Write(b)
}

// A loader that missed a delimiter, or got one too many, and takes the ends of
// frames for beginnings must be found again within the session.
func TestLostDelimiters(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"end lost", func(b []byte) []byte { return b[:len(b)-1] }},
		{"beginning lost", func(b []byte) []byte { return b[1:] }},
		{"one too many", func(b []byte) []byte { return append(b, slip.End) }},
		{"all of it lost", func([]byte) []byte { return nil }},
		{"half of it lost", func(b []byte) []byte { return b[:len(b)/2] }},
	} {
		for _, noStub := range []bool{false, true} {
			t.Run(tc.name+map[bool]string{false: "/stub", true: "/rom"}[noStub], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chip := simulate(espsim.ESP32C3, espsim.Bridge)
					defer chip.Close()
					port := &lossyPort{Port: openPort(t, chip), damage: tc.damage, frames: 2}
					d, err := flasher.Open(t.Context(), port, optionsFor(espsim.Bridge, noStub))
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					s := pack(t, "app", 0x10000, codeLike(60_000))
					if err := d.WriteFlash(t.Context(), s, nil); err != nil {
						t.Fatal(err)
					}
					if err := d.Verify(t.Context(), s); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// latePort hands nothing to the host for a while, as a machine does that is busy.
type latePort struct {
	flasher.Port
	until time.Time
}

func (p *latePort) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	time.Sleep(time.Until(p.until))
	return n, err
}

func (latePort) SetLines(bool, bool) error { return errors.ErrUnsupported }

// A loader whose answers were merely late must not be left turned the wrong way.
func TestLateAnswers(t *testing.T) {
	for _, late := range []time.Duration{0, 300, 490, 510, 600, 900, 1100, 1300, 1600, 2500} {
		t.Run((late * time.Millisecond).String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge)
				defer chip.Close()
				d, err := open(t.Context(), chip, flasher.Options{})
				if err != nil {
					t.Fatal(err)
				}
				d.Close()
				port := &latePort{openPort(t, chip), time.Now().Add(late * time.Millisecond)}
				d, err = flasher.Open(t.Context(), port, flasher.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				if err := d.ConfirmMAC(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Wherever in a session a byte is lost or damaged, the write goes through or
// ends with an error; it never claims what is not in the flash.
func TestDamageAnywhere(t *testing.T) {
	const step, end = 2003, 45_000
	data := codeLike(30_000)
	for _, kind := range []espsim.FaultKind{espsim.DropByte, espsim.GarbleByte} {
		for _, noStub := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ROM %v", kind, noStub), func(t *testing.T) {
				through := 0
				for at := int64(0); at < end; at += step {
					synctest.Test(t, func(t *testing.T) {
						chip := simulate(espsim.ESP32C3, espsim.Bridge, espsim.Fault{Kind: kind, Byte: at})
						defer chip.Close()
						if err := writeOver(t, chip, noStub, pack(t, "app", 0x10000, data)); err != nil {
							t.Logf("byte %d: %v", at, err)
							return
						}
						through++
						if !bytes.Equal(chip.Flash().Bytes()[0x10000:][:len(data)], data) {
							t.Errorf("byte %d: the flash holds something else", at)
						}
					})
				}
				if most := end / step * 9 / 10; through < most {
					t.Errorf("%d writes went through, want %d", through, most)
				}
			})
		}
	}
}

func writeOver(t *testing.T, chip *espsim.Chip, noStub bool, p *flasher.Packed) error {
	t.Helper()
	d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, noStub))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.WriteFlash(t.Context(), p, nil); err != nil {
		return err
	}
	return d.Verify(t.Context(), p)
}
