package flasher_test

import (
	"context"
	"errors"
	"sync"
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

// hungPort is a port on which one kind of call does not come back until the
// port is closed, as on a USB device that is going away.
type hungPort struct {
	flasher.Port
	on     string
	closed chan struct{}
	once   sync.Once
}

func (p *hungPort) hang(call string) error {
	if call != p.on {
		return nil
	}
	<-p.closed
	return errors.New("input/output error")
}

func (p *hungPort) SetLines(dtr, rts bool) error {
	return errors.Join(p.hang("lines"), p.Port.SetLines(dtr, rts))
}

func (p *hungPort) SetBaud(baud int) error {
	return errors.Join(p.hang("baud"), p.Port.SetBaud(baud))
}

func (p *hungPort) Write(b []byte) (int, error) {
	if err := p.hang("write"); err != nil {
		return 0, err
	}
	return p.Port.Write(b)
}

func (p *hungPort) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Port.Close()
}

// A call that hangs because the device is going away is given up.
func TestHungPort(t *testing.T) {
	for _, tc := range []struct {
		on    string
		want  error
		limit time.Duration
	}{
		{"lines", flasher.Detached, 3 * time.Second},
		{"baud", flasher.Detached, 3 * time.Second},
		{"write", flasher.Detached, 3 * time.Second},
	} {
		t.Run(tc.on, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge)
				defer chip.Close()
				start := time.Now()
				port := &hungPort{Port: openPort(t, chip), on: tc.on, closed: make(chan struct{})}
				if _, err := flasher.Connect(t.Context(), port, flasher.Options{}); !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
				if took := time.Since(start); took > tc.limit {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A unit that leaves in the middle, and whose port hangs with it, ends the
// write in the time that a block gets, and a cancelled one at once.
func TestPortHangsInAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge)
		defer chip.Close()
		port := &hungPort{Port: openPort(t, chip), closed: make(chan struct{})}
		d, err := flasher.Open(t.Context(), port, optionsFor(espsim.Bridge, false))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		err = d.WriteFlash(ctx, pack(t, "app", 0x10000, codeLike(100_000)), func(int, int) {
			port.on = "write"
			time.AfterFunc(time.Second, func() { cancel(flasher.Detached) }) // somebody else has noticed
		})
		if !errors.Is(err, flasher.Detached) {
			t.Errorf("got %v, want %v", err, flasher.Detached)
		}
	})
}
