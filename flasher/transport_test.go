package flasher_test

import (
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// tardyPort takes its time for each of the first writes.
type tardyPort struct {
	flasher.Port
	writes int
	delay  time.Duration
}

func (p *tardyPort) Write(b []byte) (int, error) {
	if p.writes > 0 {
		p.writes--
		time.Sleep(p.delay)
	}
	return p.Port.Write(b)
}

// A machine that is too busy to take a frame within the time that a SYNC gets
// is no reason to give a unit up.
func TestTardyPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.USBSerialJTAG)
		defer chip.Close()
		port := &tardyPort{Port: openPort(t, chip), writes: 6, delay: 250 * time.Millisecond}
		d, err := flasher.Open(t.Context(), port, optionsFor(espsim.USBSerialJTAG, true))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if d.MAC() != testMAC {
			t.Errorf("MAC %v, want %v", d.MAC(), testMAC)
		}
	})
}
