package flasher_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// baudLog remembers the rates that the host's end was set to.
type baudLog struct {
	flasher.Port
	seen []int
}

func (p *baudLog) SetBaud(baud int) error {
	p.seen = append(p.seen, baud)
	return p.Port.SetBaud(baud)
}

// A line that does not carry a rate is used at one that it does carry.
func TestBaudFallsBack(t *testing.T) {
	const start = 115200
	for _, tc := range []struct {
		want, carries int
		rates         []int
	}{
		{2_000_000, 3_000_000, []int{start, 2_000_000}},
		{2_000_000, 1_000_000, []int{start, 2_000_000, start, 921600}},
		{3_000_000, 500_000, []int{start, 3_000_000, start, 921600, start, 460800}},
		{921600, 200_000, []int{start, 921600, start, 460800, start}},
		{start, 200_000, []int{start}},
	} {
		for _, model := range []*espsim.Model{espsim.ESP32, espsim.ESP32S3, espsim.ESP32C2, espsim.ESP32C5} {
			for _, noStub := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d on a line for %d, ROM %v", model.Name, tc.want, tc.carries, noStub), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						chip := simulate(model, espsim.Bridge, espsim.Fault{Kind: espsim.MaxBaud, Value: uint32(tc.carries)})
						defer chip.Close()
						port := &baudLog{Port: openPort(t, chip)}
						d, err := flasher.Open(t.Context(), port, flasher.Options{Baud: tc.want, NoStub: noStub})
						if err != nil {
							t.Fatal(err)
						}
						defer d.Close()
						s := pack(t, "app", 0x10000, codeLike(5000))
						if err := errors.Join(d.WriteFlash(t.Context(), s, nil), d.Verify(t.Context(), s)); err != nil {
							t.Error(err)
						}
						if diff := cmp.Diff(tc.rates, port.seen); diff != "" {
							t.Errorf("rates (-want +got):\n%s", diff)
						}
					})
				})
			}
		}
	}
}

// An ESP32 without a frequency in its efuses must not be sent a rate made of
// it: the ROM would hang. Its stub can be asked for any.
func TestESP32WithoutOscillatorFuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := *espsim.ESP32
		words := map[uint32]uint32{}
		for reg, value := range model.Efuses.Words {
			words[reg] = value
		}
		const ck8m = 0x3FF5A010
		words[ck8m] &^= 0xFF
		model.Efuses.Words = words
		chip := simulate(&model, espsim.Bridge)
		defer chip.Close()
		port := &baudLog{Port: openPort(t, chip)}
		d, err := flasher.Connect(t.Context(), port, flasher.Options{Baud: 921600})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := errors.Join(d.Identify(t.Context()), d.RaiseBaud(t.Context())); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{115200}, port.seen); diff != "" {
			t.Errorf("rates with the ROM (-want +got):\n%s", diff)
		}
		if err := d.StartStub(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{115200, 921600}, port.seen); diff != "" {
			t.Errorf("rates with the stub (-want +got):\n%s", diff)
		}
	})
}
