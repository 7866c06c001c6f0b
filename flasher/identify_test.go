package flasher_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// flippingPort turns over bits of one byte on its way to the host.
type flippingPort struct {
	flasher.Port
	left  atomic.Int64 // bytes until that one
	flips byte
}

func (p *flippingPort) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	if at := p.left.Add(-int64(n)) + int64(n); at >= 0 && at < int64(n) {
		b[at] ^= p.flips
	}
	return n, err
}

// A bit that flips on a UART makes no unit another one, and takes no protection
// away. Nothing but the flasher would notice.
func TestIdentityOverALineThatFlipsBits(t *testing.T) {
	for _, tc := range []struct {
		model     *espsim.Model
		protected espsim.Security
	}{
		{espsim.ESP32, espsim.Security{FlashEncryption: true}},
		{espsim.ESP32S3, espsim.Security{FlashEncryption: true}},
		{espsim.ESP32C6, espsim.Security{SecureBoot: true}},
	} {
		for _, flips := range []byte{0x01, 0x04, 0x80} {
			t.Run(fmt.Sprintf("%s, %02x", tc.model.Name, flips), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { flipEachByte(t, tc.model, tc.protected, flips) })
			})
		}
	}
}

func flipEachByte(t *testing.T, model *espsim.Model, protected espsim.Security, flips byte) {
	const answers = 250 // bytes that identifying takes, and some
	sound := 0
	for at := range int64(answers) {
		chip := espsim.New(espsim.Config{Model: model, MAC: testMAC, Flash: espsim.NewFlash(testFlash), Security: protected})
		port := &flippingPort{Port: openPort(t, chip), flips: flips}
		port.left.Store(-1)
		d, err := flasher.Connect(t.Context(), port, flasher.Options{})
		if err != nil {
			t.Fatal(err)
		}
		port.left.Store(at)
		err = d.Identify(t.Context())
		if errors.Is(err, flasher.BadMAC) {
			t.Errorf("byte %d: the unit is blamed: %v", at, err)
		}
		if err == nil {
			sound++
			if got := d.Security(); d.MAC() != testMAC || got.FlashEncryption != protected.FlashEncryption || got.SecureBoot != protected.SecureBoot {
				t.Errorf("byte %d: it is taken for %s with %s", at, d.MAC(), got)
			}
		}
		d.Close()
		chip.Close()
	}
	if sound == 0 || sound == answers {
		t.Errorf("%d of %d went well", sound, answers)
	}
}

// Nor does one make its flash chip larger, smaller or missing.
func TestFlashIDOverALineThatFlipsBits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answers = 600 // bytes that attaching takes, and some
		sound := 0
		for at := range int64(answers) {
			chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: testMAC, Flash: espsim.NewFlash(testFlash)})
			port := &flippingPort{Port: openPort(t, chip), flips: 0x04}
			port.left.Store(-1)
			d, err := flasher.Connect(t.Context(), port, flasher.Options{NoStub: true})
			if err == nil {
				err = d.Identify(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			port.left.Store(at)
			err = d.AttachFlash(t.Context())
			if errors.Is(err, flasher.BadFlash) {
				t.Errorf("byte %d: the unit is blamed: %v", at, err)
			}
			if err == nil {
				sound++
				if size := d.Flash().Size(); size != testFlash {
					t.Errorf("byte %d: its flash is taken for one of %d bytes", at, size)
				}
			}
			d.Close()
			chip.Close()
		}
		if sound == 0 || sound == answers {
			t.Errorf("%d of %d went well", sound, answers)
		}
	})
}
