package station_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// spoil has the bench's record fail to be written, as if the disk were full, and
// returns what makes room: its file can only be read meanwhile.
func (b *bench) spoil() (makeRoom func()) {
	b.Helper()
	record := b.descriptor(b.path)
	kept, err := unix.Dup(record)
	if err != nil {
		b.Fatal(err)
	}
	only, err := os.Open(b.path)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Dup3(int(only.Fd()), record, unix.O_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	return sync.OnceFunc(func() {
		b.Helper()
		if err := unix.Dup3(kept, record, unix.O_CLOEXEC); err != nil {
			b.Error(err)
		}
		_, _ = unix.Close(kept), only.Close() // nothing was written to them
	})
}

// descriptor finds the open file at path.
func (b *bench) descriptor(path string) int {
	b.Helper()
	for fd := range 1000 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && to == path {
			return fd
		}
	}
	b.Fatalf("%s is not open", path)
	return -1
}

func (b *bench) logged(text string, times int) {
	b.Helper()
	if n := strings.Count(b.log.String(), text); n != times {
		b.Errorf("%q is logged %d times, want %d:\n%s", text, n, times, b.log)
	}
}

func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// words are the events of what was heard.
func (e *ear) words() (words []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.heard {
		words = append(words, string(h.Event))
	}
	return words
}

// A full disk stops the line before the flash of any unit is touched, and says so
// once. When there is room the units in their slots go on.
func TestFullDiskBeforeUnits(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	var e ear
	onBench(t, func(cfg *station.Config) { cfg.Registry = registry; e.listens(cfg) }, func(b *bench) {
		makeRoom := b.spoil()
		units := []string{left, right}
		for i, path := range units {
			b.insert(path, newUnit(i))
		}
		time.Sleep(time.Hour)
		for _, path := range units {
			if s := b.slot(path); s.State != station.Errored || s.Message != "The record cannot be written." || s.Advice == "" {
				t.Errorf("shown: %+v", s)
			}
			if flash := b.units[path].Flash().Bytes(); bytes.Count(flash, []byte{0xFF}) != len(flash) {
				t.Error("the flash was written")
			}
		}
		if b.Ready() == nil || !strings.Contains(b.View().Held, "Make room on the disk") {
			t.Errorf("ready: %v; held: %q", b.Ready(), b.View().Held)
		}
		if held, stopped := gauge(t, registry, "flashd_line_held"), gauge(t, registry, "flashd_line_stopped"); held != 1 || stopped != 1 {
			t.Errorf("metrics: held %v, stopped %v", held, stopped)
		}
		b.logged("the record cannot be written; until it can", 1)
		if diff := cmp.Diff([]string{"error", "error"}, e.words()); diff != "" {
			t.Errorf("hooks are told (-want +got):\n%s", diff)
		}

		makeRoom()
		for _, path := range units {
			b.await(path, "pass", func(s station.SlotView) bool { return s.State == station.Passed })
		}
		if b.Ready() != nil || b.View().Held != "" {
			t.Errorf("ready: %v; held: %q", b.Ready(), b.View().Held)
		}
		if held, stopped := gauge(t, registry, "flashd_line_held"), gauge(t, registry, "flashd_line_stopped"); held != 0 || stopped != 0 {
			t.Errorf("metrics: held %v, stopped %v", held, stopped)
		}
		b.logged(`msg="units go on" after="the record cannot be written"`, 1)
		b.logged("level=ERROR", 1)
	})
}

// A unit that is taken out meanwhile is forgotten; the next one tries again.
func TestFullDiskAndTheNextUnit(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		makeRoom := b.spoil()
		b.insert(left, newUnit(1))
		time.Sleep(time.Minute)
		b.remove(left)
		time.Sleep(time.Minute)
		if s := b.slot(left); s.State != station.Empty {
			t.Errorf("shown: %+v", s)
		}
		makeRoom()
		if b.Ready() == nil {
			t.Error("nobody has tried to write the record, and it is taken for good")
		}
		b.insert(left, newUnit(2))
		b.expect(b.result(left), jobs.Pass, "", "")
		if b.Ready() != nil {
			t.Errorf("ready: %v", b.Ready())
		}
		b.logged("level=ERROR", 1)
	})
}

// In whatever phase the disk becomes full, the unit waits there and then passes.
func TestFullDiskUnderWay(t *testing.T) {
	for _, phase := range station.Phases() {
		if slices.Contains([]string{"ledger", "read_nvs", "credentials", "verify_firmware"}, phase) { // take no time, or are of reworks
			continue
		}
		t.Run(phase, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				unit := espsim.New(espsim.Config{
					Model: espsim.ESP32S3, MAC: macOf(1), Flash: espsim.NewFlash(8 << 20), Wiring: espsim.Bridge, Timing: espsim.Realistic(espsim.Bridge),
				})
				b.insertAs(left, unit, hotplug.Device{VID: 0x10C4, PID: 0xEA60})
				b.awaitPhase(left, phase)
				makeRoom := b.spoil()
				s := b.await(left, "waiting", func(s station.SlotView) bool { return s.Message != "" })
				if s.State != station.Working || s.Message != "The record cannot be written." {
					t.Errorf("shown: %+v", s)
				}
				time.Sleep(time.Hour)
				if s := b.slot(left); s.State != station.Working {
					t.Errorf("shown an hour later: %+v", s)
				}
				makeRoom()
				b.expect(b.result(left), jobs.Pass, "", "")
				b.provisioned(unit, unitOf(1))
				b.logged("level=ERROR", 1)
			})
		})
	}
}

// Promise 10: a station that waits for its record can be stopped, and says what
// is not recorded. The next one begins the unit again.
func TestFullDiskAndStop(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "verify")
		makeRoom := b.spoil()
		defer makeRoom()
		b.insert(right, newUnit(2))
		time.Sleep(time.Minute)
		begun := time.Now()
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		b.ended <- nil // for shutDown
		if took := time.Since(begun); took > 25*time.Second {
			t.Errorf("the stop took %v", took)
		}
		b.logged("before the end of the attempt could be recorded", 1)
		if s := b.slot(left); s.State != station.Errored {
			t.Errorf("shown: %+v", s)
		}
	})
}

// A run of so many units ends: somebody waits for its end.
func TestFullDiskEndsARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := release()
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, t.TempDir()+"/jobs.db", r, func(cfg *station.Config) { cfg.Units = 1 })
		makeRoom := b.spoil()
		b.insert(left, newUnit(1))
		if err := <-b.ended; err == nil || !strings.Contains(err.Error(), "the record cannot be written") {
			t.Errorf("Run: %v", err)
		}
		makeRoom()
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
}
