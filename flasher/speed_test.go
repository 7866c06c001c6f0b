package flasher_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// What the protocol costs beside the line and the flash is counted in fake
// time, in which a busy machine does not matter. BENCHMARKS.md has real time.
func TestWritingIsBoundByTheLine(t *testing.T) {
	const size = 1_400_000
	app := pack(t, "app", 0x10000, codeLike(size))
	for _, baud := range []int{921600, 2_000_000} {
		t.Run(fmt.Sprint(baud), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				timing := espsim.Realistic(espsim.Bridge)
				timing.ProgramPage, timing.MD5Rate = 0, 0 // leave the line alone
				chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: testMAC, Flash: espsim.NewFlash(testFlash), Timing: timing})
				defer chip.Close()
				d, err := open(t.Context(), chip, flasher.Options{Baud: baud})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				before, start := chip.Stats(), time.Now()
				if err := d.WriteFlash(t.Context(), app, nil); err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				line := time.Duration(chip.Stats().In-before.In) * 10 * time.Second / time.Duration(baud)
				answers := time.Duration(chip.Stats().Commands-before.Commands) * (timing.Latency + 200*time.Microsecond)
				// The stub looks for blank sectors, and inflates the last block.
				const start64K, last = 30 * time.Millisecond, 30 * time.Millisecond
				if limit := line + answers + start64K + last; took > limit {
					t.Errorf("it took %v; the line takes %v and %d answers %v", took, line, chip.Stats().Commands-before.Commands, answers)
				}
			})
		})
	}
}

// On a flash that has to be erased, too, the line goes on while the stub is
// busy with it.
func TestErasingHidesBehindTheLine(t *testing.T) {
	app := pack(t, "app", 0x10000, codeLike(1_400_000))
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge)
		defer chip.Close()
		if err := chip.Flash().Program(0, make([]byte, testFlash)); err != nil {
			t.Fatal(err)
		}
		d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, false))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		start := time.Now()
		if err := d.WriteFlash(t.Context(), app, nil); err != nil {
			t.Fatal(err)
		}
		took, line := time.Since(start), time.Duration(app.WireSize())*10*time.Second/921600
		t.Logf("%v of %v", took, line)
		if took > line*106/100 {
			t.Errorf("it took %v, the line alone %v", took, line)
		}
		if dropped := chip.Stats().Dropped; dropped != 0 {
			t.Errorf("%d bytes found no buffer", dropped)
		}
		if err := d.Verify(t.Context(), app); err != nil {
			t.Error(err)
		}
	})
}

// Between a reset and the loader's first answer little time is lost, however
// long the ROM takes to start. esptool takes 0.15 s for a UART and 0.3 s for USB
// where the ROM is up at once, and 0.15 s more where it is not.
func TestConnectIsQuick(t *testing.T) {
	const pulse, answer = 100 * time.Millisecond, 35 * time.Millisecond // an answer is 8 times 14 bytes
	for name, tc := range map[string]struct {
		wiring espsim.Wiring
		lines  time.Duration // what the reset itself takes
	}{"UART": {espsim.Bridge, pulse}, "USB": {espsim.USBSerialJTAG, 60 * time.Millisecond}} {
		for _, start := range []time.Duration{5, 20, 30, 45, 60, 90, 140} {
			start *= time.Millisecond
			t.Run(fmt.Sprintf("%s/%v", name, start), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					timing := espsim.Realistic(tc.wiring)
					timing.ROMStart = start
					chip := espsim.New(espsim.Config{
						Model: espsim.ESP32S3, MAC: testMAC, Flash: espsim.NewFlash(testFlash), Wiring: tc.wiring, Timing: timing,
					})
					defer chip.Close()
					port := openPort(t, chip)
					time.Sleep(time.Second)
					resets, begun := chip.Stats().Resets, time.Now()
					d, err := flasher.Connect(t.Context(), port, optionsFor(tc.wiring, false))
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					took := time.Since(begun)
					t.Logf("%v", took)
					if limit := tc.lines + 2*start + answer; took > limit {
						t.Errorf("it took %v, want at most %v", took, limit)
					}
					if n := chip.Stats().Resets - resets; n != 1 {
						t.Errorf("%d resets", n)
					}
				})
			})
		}
	}
}

// session is the time from the first byte to the verified flash.
func session(t *testing.T, wiring espsim.Wiring, held []byte, p *flasher.Packed, ready func(*flasher.Device) error, write func(*flasher.Device) error) time.Duration {
	t.Helper()
	chip := simulate(espsim.ESP32S3, wiring)
	defer chip.Close()
	if err := chip.Flash().Program(int(p.Offset), held); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	d, err := flasher.Connect(t.Context(), openPort(t, chip), optionsFor(wiring, false))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, step := range []func() error{
		func() error { return d.Identify(t.Context()) },
		func() error { return ready(d) },
		func() error { return d.AttachFlash(t.Context()) },
		func() error { return write(d) },
		func() error { return d.Verify(t.Context(), p) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(start)
}

// A unit whose credentials alone are renewed is done at once, whatever its NVS
// partition held.
func TestReworkOfNVSIsQuick(t *testing.T) {
	data := bytes.Repeat([]byte{0xFF}, 0x5000)
	copy(data, codeLike(2000))
	nvs := pack(t, "nvs", 0x9000, data)
	for name, tc := range map[string]struct {
		wiring espsim.Wiring
		limit  time.Duration
	}{
		"115200 to 921600": {espsim.Bridge, time.Second},
		"USB":              {espsim.USBSerialJTAG, 600 * time.Millisecond},
	} {
		for _, held := range []int{0, 0x1000, 0x5000} {
			t.Run(fmt.Sprintf("%s, %d bytes held", name, held), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					took := session(t, tc.wiring, codeLike(held + 7)[7:], nvs,
						func(d *flasher.Device) error { return d.RaiseBaud(t.Context()) },
						func(d *flasher.Device) error { return d.UpdateFlash(t.Context(), nvs, nil) })
					t.Logf("%v", took)
					if took > tc.limit {
						t.Errorf("it took %v, want at most %v", took, tc.limit)
					}
				})
			})
		}
	}
}
