//go:build usbvm

package usbvm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/usbrig"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

const salt = "a salt for tests that is long enough, surely"

// fixture is a station on the real USB, put together as cmd/flashd does it.
type fixture struct {
	*testing.T
	*station.Station
	ports []int // of the virtual USB controller, by slot
	store *jobs.Store
	log   *lockedBuffer
}

// newFixture starts a station with so many slots, named by their number. No
// other fixture has the same ports.
func newFixture(t *testing.T, slots int, change func(*station.Config)) *fixture {
	t.Helper()
	f := &fixture{T: t, log: &lockedBuffer{}}
	r, err := release()
	if err != nil {
		t.Fatal(err)
	}
	if f.store, err = jobs.Open(filepath.Join(t.TempDir(), "jobs.db")); err != nil {
		t.Fatal(err)
	}
	source, err := credentials.NewDerive(credentials.DeriveConfig{Salt: salt, Host: "mqtt.example", Port: 8883})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := station.Config{
		Name: "vm", Version: "v0", Store: f.store, Release: r, Source: source,
		Flasher:   station.FlasherConfig{Baud: 921600},
		BootCheck: station.BootCheck{Enabled: true, Limit: 15 * time.Second},
		Grace:     20 * time.Second, Log: log,
	}
	for i := range slots {
		f.ports = append(f.ports, portOf(int(usedPorts.Add(1))))
		cfg.Slots = append(cfg.Slots, station.Slot{Path: path(t, f.ports[i]), Name: fmt.Sprint(i)})
	}
	if change != nil {
		change(&cfg)
	}
	rig := usbrig.New(usbrig.Config{Slots: cfg.Slots, Log: log})
	cfg.Open, cfg.ResetPort = rig.Open, rig.ResetPort
	if f.Station, err = station.New(cfg); err != nil {
		t.Fatal(err)
	}
	f.run(rig)
	return f
}

// usedPorts counts what fixtures have.
var usedPorts atomic.Int32

// portOf spreads ports over root hubs, each of which enumerates one device at
// a time.
func portOf(n int) int {
	const hubs, ports = 8, 15
	return n%hubs*ports + n/hubs%ports
}

// plug puts a unit into a slot.
func (f *fixture) plug(b *usbip.Board, i int) {
	f.Helper()
	plug(f.T, b, f.ports[i])
}

// run works until the test ends, then checks the record and the log.
func (f *fixture) run(rig *usbrig.Rig) {
	ctx, stop := context.WithCancel(context.Background())
	watched, ended := make(chan error, 1), make(chan error, 1)
	go func() { watched <- rig.Run(ctx, f.Station) }()
	go func() { ended <- f.Station.Run(ctx, rig.Events()) }()
	f.Cleanup(func() {
		stop()
		if err := errors.Join(<-watched, <-ended, f.store.Check(), f.store.Close()); err != nil {
			f.Error(err)
		}
		if f.Failed() {
			f.T.Log(f.log.String())
			f.T.Log(kernelLog())
		}
	})
}

// kernelLog is the end of what the kernel has logged.
func kernelLog() string {
	const readAll = 3 // SYSLOG_ACTION_READ_ALL
	buffer := make([]byte, 16<<10)
	n, err := unix.Klogctl(readAll, buffer)
	if err != nil {
		return "kernel log: " + err.Error()
	}
	return string(buffer[:n])
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func macOf(n int) flasher.MAC { return flasher.MAC{0x34, 0x85, 0x18, 0, byte(n >> 8), byte(n)} }

func unitOf(n int) string { return macOf(n).DeviceID() }

// newUnit makes unit number n, with a blank flash.
func newUnit(t *testing.T, n int, a usbip.Adapter, faults ...espsim.Fault) *usbip.Board {
	t.Helper()
	return newBoard(t, usbip.New(espsim.Config{
		Model: espsim.ESP32S3, MAC: macOf(n), Flash: espsim.NewFlash(8 << 20), Faults: faults,
	}, a))
}

func (f *fixture) slot(i int) station.SlotView {
	f.Helper()
	slots := f.View().Slots
	k := slices.IndexFunc(slots, func(s station.SlotView) bool { return s.Name == fmt.Sprint(i) })
	if k < 0 {
		f.Fatalf("no slot %d", i)
	}
	return slots[k]
}

// await waits until a slot is in a state.
func (f *fixture) await(i int, what string, ok func(station.SlotView) bool) station.SlotView {
	f.Helper()
	for start := time.Now(); time.Since(start) < time.Minute; {
		if s := f.slot(i); ok(s) {
			return s
		}
		// Phases are short, and the machine has no processor to spare while nothing happens.
		time.Sleep(max(2*time.Millisecond, time.Since(start)/500))
	}
	f.Fatalf("slot %d does not get to %s: %+v", i, what, f.slot(i))
	return station.SlotView{}
}

func (f *fixture) awaitPhase(i int, phase string) station.SlotView {
	f.Helper()
	return f.await(i, "phase "+phase, func(s station.SlotView) bool {
		return s.Phase == phase && s.State == station.Working
	})
}

// result waits until the attempt in a slot has ended, and returns its record.
func (f *fixture) result(i int) jobs.Attempt {
	f.Helper()
	s := f.await(i, "an end", func(s station.SlotView) bool {
		return s.State != station.Working && s.State != station.Empty
	})
	return f.attempt(s.Attempt)
}

func (f *fixture) attempt(id uint64) jobs.Attempt {
	f.Helper()
	a, err := f.store.Attempt(id)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// expect compares how an attempt ended: "pass", or outcome, phase and kind.
func (f *fixture) expect(a jobs.Attempt, want string) {
	f.Helper()
	got := string(a.Outcome)
	if a.Failure != nil {
		got += fmt.Sprintf(" %s %s", a.Failure.Phase, a.Failure.Kind)
	}
	if got != want {
		f.Errorf("attempt %d in slot %s ended as %q, want %q: %+v", a.ID, a.Slot, got, want, a.Failure)
	}
}

// provisioned checks what is in a unit's flash, read by nvsgen.
func (f *fixture) provisioned(b *usbip.Board, id string) {
	f.Helper()
	r, err := release()
	if err != nil {
		f.Fatal(err)
	}
	flash := b.Chip().Flash().Bytes()
	for _, s := range r.Segments {
		if !bytes.Equal(flash[s.Offset:int(s.Offset)+len(s.Data)], s.Data) {
			f.Errorf("unit %s: segment %s is not in the flash", id, s.Name)
		}
	}
	p, err := nvsgen.Parse(flash[r.NVS.Offset : int(r.NVS.Offset)+r.NVS.Size])
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range []nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", id),
		nvsgen.String("gateway", "mqtt_pass", f.password(id)),
		nvsgen.U8("gateway", "provisioned", 1),
	} {
		if got, ok := p.Lookup(e.Namespace, e.Key); !ok || fmt.Sprint(got) != fmt.Sprint(e.Value) {
			f.Errorf("unit %s: %s/%s is %v", id, e.Namespace, e.Key, got)
		}
	}
	if strings.Contains(f.log.String(), f.password(id)) {
		f.Errorf("the password of %s is in the log", id)
	}
}

func (f *fixture) password(unit string) string {
	f.Helper()
	source, err := credentials.NewDerive(credentials.DeriveConfig{Salt: salt})
	if err != nil {
		f.Fatal(err)
	}
	c, err := source.Fetch(context.Background(), unit)
	if err != nil {
		f.Fatal(err)
	}
	return c.MQTTPassword.Reveal()
}
