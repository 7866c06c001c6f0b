package station_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// newSecured makes a unit in secure download mode, with what else is burnt in.
func newSecured(n int, also espsim.Security) *espsim.Chip {
	also.SecureDownload = true
	return espsim.New(espsim.Config{
		Model: espsim.ESP32S3, MAC: macOf(n), Flash: espsim.NewFlash(8 << 20),
		Wiring: espsim.USBSerialJTAG, Timing: espsim.Realistic(espsim.USBSerialJTAG), Security: also,
	})
}

func (b *bench) blank(unit *espsim.Chip) {
	b.Helper()
	flash := unit.Flash().Bytes()
	if !bytes.Equal(flash, bytes.Repeat([]byte{0xFF}, len(flash))) {
		b.Error("the unit's flash was touched")
	}
}

// runs has the unit's application started, which stops its watchdog: the station
// cannot, without registers. The flash is erased behind its back then.
func (b *bench) runs(unit *espsim.Chip) {
	b.Helper()
	for _, s := range b.Release.Segments {
		if err := unit.Flash().Program(int(s.Offset), s.Data); err != nil {
			b.Fatal(err)
		}
	}
	for !unit.BootedApp() {
		time.Sleep(time.Second)
	}
	if err := unit.Flash().Erase(0, unit.Flash().Size()); err != nil {
		b.Fatal(err)
	}
}

// A unit that tells neither who it is nor what it holds is left as it is.
func TestSecureDownloadModeIsLeftAlone(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		unit := newSecured(1, espsim.Security{})
		b.insert(left, unit)
		a := b.result(left)
		b.expect(a, jobs.Error, "identify", "unverifiable")
		if !strings.Contains(a.Failure.Text, "secure download mode") || !strings.Contains(a.Failure.Hint, "--unverified") {
			b.Errorf("it says %q, and to do: %q", a.Failure.Text, a.Failure.Hint)
		}
		b.blank(unit)
	})
}

// One that is written all the same gets no credentials and does not pass.
func TestSecureDownloadModeOnRequest(t *testing.T) {
	ask := func(c *station.Config) {
		c.Unverified = "by Eve: a prototype"
		c.Previous = older(c.Release) // of no use without digests
	}
	onBench(t, ask, func(b *bench) {
		unit := newSecured(1, espsim.Security{})
		b.runs(unit)
		b.insert(left, unit)
		a := b.result(left)
		b.expect(a, jobs.Error, "verify", "unverifiable")
		if !strings.Contains(a.Failure.Text, "by Eve: a prototype") {
			b.Errorf("it says %q", a.Failure.Text)
		}
		flash, written := unit.Flash().Bytes(), int64(0)
		for _, s := range b.Release.Segments {
			if !bytes.Equal(flash[s.Offset:int(s.Offset)+len(s.Data)], s.Data) {
				b.Errorf("segment %s is not in the flash", s.Name)
			}
			written += int64(len(s.Data)+3) &^ 3
		}
		nvs := flash[b.Release.NVS.Offset : int(b.Release.NVS.Offset)+b.Release.NVS.Size]
		if !bytes.Equal(nvs, bytes.Repeat([]byte{0xFF}, len(nvs))) {
			b.Error("the unit got credentials")
		}
		if a.Unit != "" || len(a.Verified) != 0 || a.Written != written || a.Credential != "" {
			b.Errorf("recorded as %+v, want %d bytes written", a, written)
		}
		for u, err := range b.store.Units() {
			b.Errorf("unit %+v is recorded, %v", u, err)
		}
		b.remove(left)

		// Others go the usual way.
		other := newUnit(2)
		b.insert(left, other)
		b.expect(b.result(left), jobs.Pass, "", "")
		b.provisioned(other, unitOf(2))
	})
}

// Protections that plain images defeat are no matter of policy.
func TestProtectedUnitsAreLeftAlone(t *testing.T) {
	for name, also := range map[string]espsim.Security{"secure boot": {SecureBoot: true}, "flash encryption": {FlashEncryption: true}} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(c *station.Config) { c.Unverified = "by Eve: a prototype" }, func(b *bench) {
				unit := newSecured(1, also)
				b.insert(left, unit)
				b.expect(b.result(left), jobs.Error, "identify", "secured")
				b.blank(unit)
			})
		})
	}
}
