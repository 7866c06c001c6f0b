package flasher_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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

// firmwareLike is size bytes that compress as an application does, to 0.62.
func firmwareLike(size int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, size)
	for i := range data {
		if rng.IntN(9) > 1 {
			data[i] = byte(rng.IntN(8))
		} else {
			data[i] = byte(rng.IntN(256))
		}
	}
	return data
}

// Writing takes little longer than what is slower, the line or the flash with
// what of the chip's work cannot be done beside it; behind that comes only the
// chip's digest. These are the rows of BENCHMARKS.md: go test -v -run AsLong.
func TestWritingTakesAsLongAsLineOrFlash(t *testing.T) {
	app := pack(t, "app", 0x10000, firmwareLike(1_421_376))
	for _, tc := range []struct {
		name   string
		wiring espsim.Wiring
		baud   int
		dirty  bool
		limit  float64 // times what is slower
	}{
		// Behind the last frame there is up to 32 KiB to be programmed.
		{"921600, blank", espsim.Bridge, 921600, false, 1.03},
		{"921600, dirty", espsim.Bridge, 921600, true, 1.10},
		// While the stub programs 32 KiB, one frame of 16 KiB finds room, and
		// the rest of the next 32 KiB does not: at 2 Mbaud it waits for that.
		{"2 M, blank", espsim.Bridge, 2_000_000, false, 1.18},
		{"2 M, dirty", espsim.Bridge, 2_000_000, true, 1.02},
		{"USB, blank", espsim.USBSerialJTAG, 0, false, 1.06},
		{"USB, dirty", espsim.USBSerialJTAG, 0, true, 1.00},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, tc.wiring)
				defer chip.Close()
				if tc.dirty {
					if err := chip.Flash().Program(0, make([]byte, testFlash)); err != nil {
						t.Fatal(err)
					}
				}
				opts := optionsFor(tc.wiring, false)
				opts.Baud = tc.baud
				d, err := open(t.Context(), chip, opts)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				before, start := chip.Stats(), time.Now()
				if err := d.WriteFlash(t.Context(), app, nil); err != nil {
					t.Fatal(err)
				}
				written, sent := time.Since(start), chip.Stats().In-before.In
				if err := d.Verify(t.Context(), app); err != nil {
					t.Fatal(err)
				}
				verified := time.Since(start)
				line, flash, digest := physics(tc.wiring, tc.baud, int(sent), app, tc.dirty)
				t.Logf("| %s | %.2f | %.2f | %.2f | %.2f |", tc.name, written.Seconds(), verified.Seconds(), line.Seconds(), flash.Seconds())
				slower := max(line, flash)
				if limit := time.Duration(tc.limit * float64(slower)); written > limit {
					t.Errorf("it took %v, %.3f × %v", written, float64(written)/float64(slower), slower)
				}
				const answer = 20 * time.Millisecond
				if limit := written + digest + answer; verified > limit {
					t.Errorf("verified after %v, want at most %v", verified, limit)
				}
				if dropped := chip.Stats().Dropped; dropped != 0 {
					t.Errorf("%d bytes found no buffer", dropped)
				}
			})
		})
	}
}

// physics is what p takes by itself: sent bytes on the line; looking for blank
// sectors or erasing, inflating and programming; and the chip's digest.
func physics(wiring espsim.Wiring, baud, sent int, p *flasher.Packed, dirty bool) (line, flash, digest time.Duration) {
	timing := espsim.Realistic(wiring)
	at := func(rate, n int) time.Duration { return time.Duration(n) * time.Second / time.Duration(rate) }
	line = at(max(timing.USBRate, baud/10), sent)
	flash = time.Duration((p.Size+255)/256)*timing.ProgramPage + at(timing.InflateRate, p.Size)
	if dirty {
		const sectors = flasher.BlockSize / flasher.SectorSize
		n := (p.Size + flasher.SectorSize - 1) / flasher.SectorSize
		flash += time.Duration(n/sectors)*timing.EraseBlock + time.Duration(n%sectors)*timing.EraseSector
	} else {
		flash += at(timing.ReadRate, p.Size)
	}
	return line, flash, at(timing.MD5Rate, p.Size)
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
