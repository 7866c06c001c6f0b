package flasher_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// A bit that flips on a UART in what the chip answers about its flash fails no unit.
func TestVerifyOverALineThatFlipsBits(t *testing.T) {
	data := codeLike(0x1000)
	for _, noStub := range []bool{false, true} {
		for _, flips := range []byte{0x01, 0x04, 0x80} {
			t.Run(fmt.Sprintf("ROM %v, %02x", noStub, flips), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: testMAC, Flash: espsim.NewFlash(testFlash)})
					defer chip.Close()
					if err := chip.Flash().Program(0x9000, data); err != nil {
						t.Fatal(err)
					}
					port := &flippingPort{Port: openPort(t, chip), flips: flips}
					port.left.Store(-1)
					d, err := flasher.Open(t.Context(), port, flasher.Options{NoStub: noStub})
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					p := pack(t, "nvs", 0x9000, data)
					const answer = 50 // bytes, and some
					for at := range int64(answer) {
						port.left.Store(at)
						if err := d.Verify(t.Context(), p); err != nil {
							t.Errorf("byte %d: %v", at, err)
						}
					}
				})
			})
		}
	}
}
