package station_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// noise is a line on which one bit of one command flips. Nothing guards a command
// on a UART.
type noise struct {
	mu  sync.Mutex
	op  flasher.Opcode
	nth int // of the commands with op from now on, from 1; 0: none
	bit int // of what is in the frame
}

func (n *noise) strike(op flasher.Opcode, nth, bit int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.op, n.nth, n.bit = op, nth, bit
}

func (n *noise) damage(frame []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	const opcode, header = 2, 1 + 8 // an acknowledgement is shorter
	if n.nth == 0 || len(frame) <= header || flasher.Opcode(frame[opcode]) != n.op {
		return frame
	}
	if n.nth--; n.nth > 0 {
		return frame
	}
	var d slip.Decoder
	d.Write(frame, func(p []byte) {
		p = slices.Clone(p)
		p[n.bit/8] ^= 1 << (n.bit % 8)
		frame = slip.Append(nil, p)
	})
	return frame
}

func (n *noise) struck() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.nth == 0
}

type noisyPort struct {
	flasher.Port
	*noise
}

func (p noisyPort) Write(b []byte) (int, error) {
	_, err := p.Port.Write(p.damage(b))
	return len(b), err
}

// on puts n on all ports.
func (n *noise) on(cfg *station.Config) {
	open := cfg.Open
	cfg.Open = func(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
		port, err := open(ctx, d)
		return noisyPort{port, n}, err
	}
}

// Bits of a command's words.
const (
	commandHeader = 8 * 8
	beginSize     = commandHeader
	beginOffset   = commandHeader + 3*32
	firstWord     = commandHeader
)

var bridgeDevice = hotplug.Device{VID: 0x10C4, PID: 0xEA60}

// A unit passes with all of the release in its flash although the write of its NVS,
// which comes last, has hit what was written before.
func TestLastWriteGoesAstray(t *testing.T) {
	for name, bit := range map[string]int{
		"into the application": beginOffset + 16, // 0x9000 → 0x19000
		"into the bootloader":  beginOffset + 15, // 0x9000 → 0x1000
		"beyond its end":       beginSize + 17,   // 0x5000 → 0x25000
	} {
		t.Run(name, func(t *testing.T) {
			line := &noise{}
			onBench(t, line.on, func(b *bench) {
				line.strike(flasher.FlashDeflBegin, len(b.Release.Segments)+1, bit)
				unit := newUnitWired(1, espsim.Bridge)
				b.insertAs(left, unit, bridgeDevice)
				b.expect(b.result(left), jobs.Pass, "", "")
				b.provisioned(unit, unitOf(1))
				if !line.struck() {
					t.Error("no bit flipped")
				}
			})
		})
	}
}

// What a unit has in NVS stays, and its firmware too, whatever bit flips while it is
// reworked; else the rework does not pass, or the record says what nobody knows.
func TestReworkOnANoisyLine(t *testing.T) {
	const (
		lower, upper = 12, 22 // bits of an offset: another sector, and one that is blank
		spareSector  = 0x409000
	)
	line := &noise{}
	onReturn(t, bothReleases(t)["plain"], line.on, func(u *returned) {
		u.remove(left)
		flash := u.unit.Flash()
		u.unit = espsim.New(espsim.Config{
			Model: espsim.ESP32S3, MAC: macOf(1), Flash: flash, Wiring: espsim.Bridge, Timing: espsim.Realistic(espsim.Bridge),
		})
		u.insertAs(left, u.unit, bridgeDevice)
		u.expect(u.result(left), jobs.Refused, "ledger", "already_done")

		before := u.outsideNVS()
		reworked := func(what string, op flasher.Opcode, nth, bit int) jobs.Attempt {
			line.strike(op, nth, bit)
			a := u.rework(jobs.Rework{})
			if !line.struck() {
				t.Errorf("%s: no bit flipped", what)
			}
			u.expect(a, jobs.Pass, "", "")
			u.wants(credentialsNumber(u.source.count())...)
			return a
		}
		for nth := range 8 {
			reworked("digest", flasher.SPIFlashMD5, 1+nth, firstWord+upper)
		}
		reworked("read", flasher.ReadFlash, 1, firstWord+upper)
		reworked("read", flasher.ReadFlash, 1, firstWord+lower)
		reworked("write to another page", flasher.FlashDeflBegin, 1, beginOffset+lower)
		if !bytes.Equal(before, u.outsideNVS()) {
			t.Fatal("the flash outside of the NVS partition was touched")
		}

		u.program(spareSector, []byte("what the firmware keeps"))
		a := reworked("write to another partition", flasher.FlashDeflBegin, 1, beginOffset+upper)
		u.notes(a, "nobody looked at other partitions")

		line.strike(flasher.FlashDeflBegin, 1, beginOffset+16)
		a = u.rework(jobs.Rework{})
		u.expect(a, jobs.Error, "verify_firmware", "other_firmware")
		if a.Failure != nil && !strings.Contains(a.Failure.Text, "app0") {
			t.Errorf("it says %q", a.Failure.Text)
		}
	})
}
