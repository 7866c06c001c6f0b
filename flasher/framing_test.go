package flasher_test

import (
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// countingPort counts the commands sent.
type countingPort struct {
	flasher.Port
	sent map[flasher.Opcode]int
}

func (p *countingPort) Write(b []byte) (int, error) {
	const opcode = 2 // behind END and direction
	if len(b) > opcode {
		p.sent[flasher.Opcode(b[opcode])]++
	}
	return p.Port.Write(b)
}

// The ESP32's ROM answers well to compressed data, and programs up to 32 KiB
// of zeros behind it.
func TestCompressedDataGoesToNoROMThatSpoilsIt(t *testing.T) {
	for _, tc := range []struct {
		model      *espsim.Model
		noStub     bool
		compressed bool
	}{
		{espsim.ESP32, false, true},
		{espsim.ESP32, true, false},
		{espsim.ESP32S2, true, false},
		{espsim.ESP32C3, true, true},
	} {
		t.Run(tc.model.Name+map[bool]string{false: "/stub", true: "/rom"}[tc.noStub], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(tc.model, espsim.Bridge)
				defer chip.Close()
				port := &countingPort{openPort(t, chip), map[flasher.Opcode]int{}}
				d, err := flasher.Open(t.Context(), port, optionsFor(espsim.Bridge, tc.noStub))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				s := pack(t, "nvs", testFlash-0x6000, make([]byte, 0x6000))
				if err := d.WriteFlash(t.Context(), s, nil); err != nil {
					t.Fatal(err)
				}
				if err := d.Verify(t.Context(), s); err != nil {
					t.Error(err)
				}
				if compressed := port.sent[flasher.FlashDeflData] > 0; compressed != tc.compressed {
					t.Errorf("compressed: %v, want %v", compressed, tc.compressed)
				}
			})
		})
	}
}
