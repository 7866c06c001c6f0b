package espsim_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
)

func TestLineTakesItsTime(t *testing.T) {
	for _, tc := range []struct {
		wiring espsim.Wiring
		baud   int
		want   time.Duration // of 16 KiB, less what the operating system's buffer holds
	}{
		{espsim.Bridge, 115200, 12288 * 10 * time.Second / 115200},
		{espsim.Bridge, 921600, 12288 * 10 * time.Second / 921600},
		{espsim.USBSerialJTAG, 921600, 12288 * time.Second / 600_000},
	} {
		synctest.Test(t, func(t *testing.T) {
			chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, Wiring: tc.wiring, Timing: espsim.Realistic(tc.wiring)})
			defer chip.Close()
			port, err := chip.Open()
			if err != nil {
				t.Fatal(err)
			}
			if err := port.SetBaud(tc.baud); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if _, err := port.Write(make([]byte, 16384)); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begin)
			if diff := (took - tc.want).Abs(); diff > tc.want/1000 {
				t.Errorf("wiring %d at %d baud: writing took %v, want %v", tc.wiring, tc.baud, took, tc.want)
			}
		})
	}
}

func TestLatency(t *testing.T) {
	cfg := realistic
	cfg.Model = espsim.ESP32S3
	cfg.Timing.Latency = 16 * ms
	inBubble(t, cfg, func(t *testing.T, c *client) {
		c.sync()
		begin := time.Now()
		c.command(0x0A, 0x40001000)
		// 14 bytes each way at 115200 baud, and the adapter.
		if took, line := time.Since(begin), 28*10*time.Second/115200; took < 16*ms+line/2 || took > 17*ms+line {
			t.Errorf("a round trip took %v", took)
		}
	})
}

// TestUnplug: everything that is open ends, and comes back only with Plug.
func TestUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, Flash: unit(t, espsim.ESP32S3, nil)})
		defer chip.Close()
		port, err := chip.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chip.Open(); !errors.Is(err, espsim.ErrBusy) {
			t.Errorf("a second opener: %v, want ErrBusy", err)
		}
		read := make(chan error)
		go func() {
			for {
				if _, err := port.Read(make([]byte, 100)); err != nil {
					read <- err
					return
				}
			}
		}()
		synctest.Wait()
		chip.Unplug()
		detached := func(what string, err error) {
			t.Helper()
			var d interface{ Detached() bool }
			if !errors.Is(err, espsim.ErrDetached) || !errors.As(err, &d) || !d.Detached() {
				t.Errorf("%s of an unplugged unit: %v, want ErrDetached", what, err)
			}
		}
		detached("Read under way", <-read)
		_, err = port.Write([]byte{0})
		detached("Write", err)
		detached("SetBaud", port.SetBaud(9600))
		detached("SetLines", port.SetLines(true, true))
		_, err = chip.Open()
		detached("Open", err)
		synctest.Wait()
		if got := chip.State(); got != espsim.Off {
			t.Errorf("an unplugged unit is %v", got)
		}
		chip.Plug()
		time.Sleep(time.Second)
		if !chip.BootedApp() {
			t.Errorf("plugged in again, the unit is in %v", chip.State())
		}
		if _, err := chip.Open(); err != nil {
			t.Errorf("Open after Plug: %v", err)
		}
	})
}

func TestClosedPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := espsim.New(espsim.Config{Model: espsim.ESP32S3})
		defer chip.Close()
		port, err := chip.Open()
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			for {
				if _, err := port.Read(make([]byte, 1<<16)); err != nil {
					read <- err
					return
				}
			}
		}()
		synctest.Wait()
		port.Close()
		if err := <-read; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read under way: %v, want os.ErrClosed", err)
		}
		if _, err := port.Write([]byte{0}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write: %v, want os.ErrClosed", err)
		}
		if err := port.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
		if _, err := chip.Open(); err != nil {
			t.Errorf("Open after Close: %v", err)
		}
	})
}
