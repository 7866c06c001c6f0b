package flasher_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// lineLog remembers what the modem lines were set to.
type lineLog struct {
	flasher.Port
	seen []string
}

func (p *lineLog) SetLines(dtr, rts bool) error {
	level := map[bool]string{false: "0", true: "1"}
	p.seen = append(p.seen, level[dtr]+level[rts])
	return p.Port.SetLines(dtr, rts)
}

func TestCustomResetSequence(t *testing.T) {
	for text, want := range map[string]string{
		"D0|R1|W0.1|D1|R0|W0.05|D0": "00 01 11 10 00",
		"U0,1|W0.1|U1,0|W0.05|U0,0": "01 10 00",
		"W0.2|U0,1|U1,0|W0.06|U0,0": "00 01 10 00",
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge)
				defer chip.Close()
				if err := flasher.CheckResetSequence(text); err != nil {
					t.Fatal(err)
				}
				port := &lineLog{Port: openPort(t, chip)}
				d, err := flasher.Connect(t.Context(), port, flasher.Options{Reset: text})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				if diff := cmp.Diff(want, strings.Join(port.seen, " ")); diff != "" {
					t.Errorf("lines (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestResetSequencesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "D", "D2", "X1", "D1||R0", "W", "W-1", "W1e9", "WNaN", "U1", "U1,", "D1,0", "d1", " D1"} {
		if err := flasher.CheckResetSequence(text); err == nil {
			t.Errorf("%q is taken for a sequence", text)
		} else if !strings.Contains(err.Error(), "want") {
			t.Errorf("%q: %v does not say what is wanted", text, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge)
		defer chip.Close()
		if _, err := flasher.Connect(t.Context(), openPort(t, chip), flasher.Options{Reset: "D1|?"}); err == nil {
			t.Error("a chip was reset with no sequence")
		}
	})
}

func FuzzCheckResetSequence(f *testing.F) {
	f.Add("D0|R1|W0.1|D1|R0|W0.05|D0")
	f.Add("U1,0|W9")
	f.Fuzz(func(t *testing.T, text string) {
		// Sequences can be put behind each other.
		twice := flasher.CheckResetSequence(text + "|" + text)
		if once := flasher.CheckResetSequence(text); (once == nil) != (twice == nil) {
			t.Errorf("%q: %v, and twice %v", text, once, twice)
		}
	})
}
