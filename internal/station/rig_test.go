package station_test

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
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

const salt = "a salt for tests that is long enough, surely"

// release is the demo release, made once for all tests.
var release = sync.OnceValues(func() (*firmware.Release, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	return firmware.Demo(dir, "demo", "esp32s3")
})

// bench is a station with simulated units and a real store, in fake time.
type bench struct {
	*testing.T
	*station.Station
	store  *jobs.Store
	path   string // of the store
	log    *logbook
	events chan hotplug.Event
	end    context.CancelCauseFunc // of the station's work
	late   time.Duration           // how long after power-up a unit is noticed
	ended  chan error

	mu      sync.Mutex
	units   map[string]*espsim.Chip // by path
	address int
}

// onBench runs a test with a station in a bubble of fake time, and checks the
// store and the log after it.
func onBench(t *testing.T, change func(*station.Config), test func(*bench)) {
	t.Helper()
	r, err := release()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, filepath.Join(dir, "jobs.db"), r, change)
		defer b.checkNoSecrets()
		defer b.shutDown() // also when the test gives up
		test(b)
	})
}

func newBench(t *testing.T, path string, r *firmware.Release, change func(*station.Config)) *bench {
	t.Helper()
	store, err := jobs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	source, err := credentials.NewDerive(credentials.DeriveConfig{Salt: salt, Host: "mqtt.example", Port: 8883})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, store: store, path: path, log: &logbook{}, events: make(chan hotplug.Event), ended: make(chan error, 1), units: map[string]*espsim.Chip{}}
	cfg := station.Config{
		Name: "test", Version: "v0", Store: store, Release: r, Source: source, Open: b.openPort,
		Slots:     []station.Slot{{Path: "1-1.1", Name: "left"}, {Path: "1-1.2", Name: "right"}},
		Flasher:   station.FlasherConfig{Baud: 921600},
		BootCheck: station.BootCheck{Enabled: true, Limit: 15 * time.Second},
		Retries:   1,
		Grace:     20 * time.Second,
		Log:       slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	if b.Station, err = station.New(cfg); err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, b.end = context.WithCancelCause(t.Context())
	go func() { b.ended <- b.Station.Run(ctx, b.events) }()
	return b
}

// logbook is a log that is read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// stop stops the station, and drain lets it finish what is under way.
func (b *bench) stop()  { b.end(nil) }
func (b *bench) drain() { b.end(station.ErrDrain) }

// shutDown stops the station and checks the whole store.
func (b *bench) shutDown() {
	b.Helper()
	b.stop()
	if err := <-b.ended; err != nil {
		b.Errorf("Run: %v", err)
	}
	if err := errors.Join(b.store.Check(), b.store.Close()); err != nil {
		b.Error(err)
	}
}

func (b *bench) checkNoSecrets() {
	b.Helper()
	if strings.Contains(b.log.String(), salt) || strings.Contains(b.log.String(), "a salt") {
		b.Error("the salt is in the log")
	}
	for _, view := range b.View().Slots {
		for _, id := range []string{view.Unit, view.LastUnit} {
			if id != "" && strings.Contains(b.log.String(), password(b.T, id)) {
				b.Errorf("the password of %s is in the log", id)
			}
		}
	}
}

func password(t *testing.T, unit string) string {
	t.Helper()
	source, err := credentials.NewDerive(credentials.DeriveConfig{Salt: salt})
	if err != nil {
		t.Fatal(err)
	}
	c, err := source.Fetch(t.Context(), unit)
	if err != nil {
		t.Fatal(err)
	}
	return c.MQTTPassword.Reveal()
}

func (b *bench) openPort(_ context.Context, d hotplug.Device) (flasher.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	chip := b.units[d.Path]
	if chip == nil {
		return nil, flasher.Detached
	}
	return chip.Open()
}

func macOf(n int) flasher.MAC { return flasher.MAC{0x34, 0x85, 0x18, 0, byte(n >> 8), byte(n)} }

func unitOf(n int) string { return macOf(n).DeviceID() }

// newUnit makes unit number n.
func newUnit(n int, faults ...espsim.Fault) *espsim.Chip {
	return espsim.New(espsim.Config{
		Model: espsim.ESP32S3, MAC: macOf(n), Flash: espsim.NewFlash(8 << 20),
		Wiring: espsim.USBSerialJTAG, Timing: espsim.Realistic(espsim.USBSerialJTAG), Faults: faults,
	})
}

// insert puts a unit into a slot.
func (b *bench) insert(path string, unit *espsim.Chip) {
	b.insertAs(path, unit, hotplug.Device{VID: 0x303A, PID: 0x1001})
}

// insertAs is insert for one that is this to the USB.
func (b *bench) insertAs(path string, unit *espsim.Chip, device hotplug.Device) {
	b.mu.Lock()
	b.units[path] = unit
	b.Cleanup(unit.Close)
	b.address++
	device.Path, device.TTY, device.Address = path, "sim:"+path, b.address
	b.mu.Unlock()
	unit.Plug()
	time.Sleep(b.late)
	b.events <- hotplug.Event{Kind: hotplug.Attach, Device: device}
}

// remove takes the unit out of a slot.
func (b *bench) remove(path string) {
	b.mu.Lock()
	unit := b.units[path]
	delete(b.units, path)
	b.mu.Unlock()
	unit.Unplug()
	b.events <- hotplug.Event{Kind: hotplug.Detach, Device: hotplug.Device{Path: path}}
	synctest.Wait()
}

// slot returns what is seen of a slot.
func (b *bench) slot(path string) station.SlotView {
	b.Helper()
	slots := b.View().Slots
	i := slices.IndexFunc(slots, func(s station.SlotView) bool { return s.Path == path })
	if i < 0 {
		b.Fatalf("no slot %s", path)
	}
	return slots[i]
}

// await waits until a slot is in a state.
func (b *bench) await(path string, what string, ok func(station.SlotView) bool) station.SlotView {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s := b.slot(path); ok(s) {
			return s
		}
	}
	b.Fatalf("slot %s does not get to %s: %+v\n%s", path, what, b.slot(path), b.log)
	return station.SlotView{}
}

// result waits until the attempt in a slot has ended, and returns its record.
func (b *bench) result(path string) jobs.Attempt {
	b.Helper()
	s := b.await(path, "an end", func(s station.SlotView) bool {
		return s.State != station.Working && s.State != station.Empty
	})
	a, err := b.store.Attempt(s.Attempt)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func (b *bench) awaitPhase(path, phase string) {
	b.Helper()
	b.await(path, "phase "+phase, func(s station.SlotView) bool { return s.Phase == phase })
}

// expect compares how an attempt ended: outcome, and phase and kind if it did
// not pass.
func (b *bench) expect(a jobs.Attempt, outcome jobs.Outcome, phase, kind string) {
	b.Helper()
	got, want := string(a.Outcome), string(outcome)
	if a.Failure != nil {
		got += fmt.Sprintf(" %s %s", a.Failure.Phase, a.Failure.Kind)
	}
	if kind != "" {
		want += fmt.Sprintf(" %s %s", phase, kind)
	}
	if got != want {
		b.Errorf("attempt ended as %q, want %q: %+v\n%s", got, want, a.Failure, b.log)
	}
}

// provisioned checks what is in a unit's flash, read by nvsgen.
func (b *bench) provisioned(unit *espsim.Chip, id string) {
	b.Helper()
	r, err := release()
	if err != nil {
		b.Fatal(err)
	}
	flash := unit.Flash().Bytes()
	for _, s := range r.Segments {
		if !bytes.Equal(flash[s.Offset:int(s.Offset)+len(s.Data)], s.Data) {
			b.Errorf("segment %s is not in the flash", s.Name)
		}
	}
	p, err := nvsgen.Parse(flash[r.NVS.Offset : int(r.NVS.Offset)+r.NVS.Size])
	if err != nil {
		b.Fatal(err)
	}
	b.hasCredentials(p, id)
}

// hasCredentials checks what a unit's NVS partition says.
func (b *bench) hasCredentials(p *nvsgen.Partition, id string) {
	b.Helper()
	want := []nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", id),
		nvsgen.String("gateway", "mqtt_pass", password(b.T, id)),
		nvsgen.U8("gateway", "provisioned", 1),
	}
	for _, e := range want {
		if got, ok := p.Lookup(e.Namespace, e.Key); !ok || fmt.Sprint(got) != fmt.Sprint(e.Value) {
			b.Errorf("%s/%s is %v, want %v", e.Namespace, e.Key, got, e.Value)
		}
	}
}
