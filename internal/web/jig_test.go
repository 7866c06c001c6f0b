package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/simrig"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// jig is a station of simulated units with its board, which can be stopped and
// started again on the same record and the same address.
type jig struct {
	*testing.T
	dir     string
	release *firmware.Release
	source  *source
	addr    string
	stop    func()

	rig     *simrig.Rig
	store   *jobs.Store
	station *station.Station
}

func newJig(t *testing.T) *jig {
	t.Helper()
	j := &jig{T: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	var err error
	if j.release, err = firmware.Demo(filepath.Join(j.dir, "images"), "demo", "esp32s3"); err != nil {
		t.Fatal(err)
	}
	derive, err := credentials.NewDerive(credentials.DeriveConfig{Salt: "a salt for tests that is long enough, surely", Host: "mqtt.example", Port: 8883})
	if err != nil {
		t.Fatal(err)
	}
	j.source = &source{Source: derive}
	return j
}

// start runs the station, as version, until j.stop is called. Without a token
// nothing can be changed from the board.
func (j *jig) start(version string, token credentials.Secret) {
	j.Helper()
	check := func(err error) {
		j.Helper()
		if err != nil {
			j.Fatal(err)
		}
	}
	model, _ := espsim.ModelNamed("esp32s3")
	var err error
	j.store, err = jobs.Open(filepath.Join(j.dir, "jobs.db"))
	check(err)
	j.rig, err = simrig.New(simrig.Config{Slots: 8, Dir: filepath.Join(j.dir, "units"), Model: model, Wiring: espsim.USBSerialJTAG, Flash: 8 << 20})
	check(err)
	j.station, err = station.New(station.Config{
		Name: "jig-3", Version: version, Store: j.store, Release: j.release, Source: j.source,
		Open: j.rig.Open, ResetPort: j.rig.ResetPort, Slots: j.rig.Slots(), Simulated: true,
		BootCheck: station.BootCheck{Enabled: true, Limit: 15 * time.Second},
		Log:       slog.New(slog.DiscardHandler),
	})
	check(err)
	l, err := net.Listen("tcp", j.addr)
	check(err)
	j.addr = l.Addr().String()

	j.run(l, web.NewHandler(web.Config{
		Source: j.station, Store: j.store, Metrics: prometheus.NewRegistry(), Listen: j.addr,
		Token: token, Log: slog.New(slog.DiscardHandler),
		Releases: func() ([]firmware.Summary, error) { return firmware.List(filepath.Join(j.dir, "images")) },
	}))
}

func (j *jig) run(l net.Listener, handler http.Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	errs := make(chan error, 2)
	wg.Go(func() { errs <- web.Serve(ctx, l, handler, slog.New(slog.DiscardHandler)) })
	wg.Go(func() { errs <- j.station.Run(ctx, j.rig.Events()) })
	j.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		j.rig.Close()
		if err := errors.Join(<-errs, <-errs, j.store.Check(), j.store.Close()); err != nil {
			j.Error(err)
		}
	})
	j.Cleanup(j.stop)
}

// slot is the n-th slot, from 1.
func (j *jig) slot(n int) station.Slot { return j.rig.Slots()[n-1] }

// plug puts unit m into slot n, and returns its device ID.
func (j *jig) plug(n, m int, faults ...espsim.Fault) string {
	j.Helper()
	mac := flasher.MAC{0x34, 0x85, 0x18, 0, byte(m >> 8), byte(m)}
	if err := j.rig.Plug(context.Background(), j.slot(n), mac, faults...); err != nil {
		j.Fatal(err)
	}
	return mac.DeviceID()
}

func (j *jig) unplug(n int) { j.rig.Unplug(context.Background(), j.slot(n)) }

func (j *jig) url(path string, args ...any) string {
	return "http://" + j.addr + fmt.Sprintf(path, args...)
}

// source derives credentials, but lets units wait for them, or not find any.
type source struct {
	credentials.Source
	mu      sync.Mutex
	closed  chan struct{} // nil: nobody waits
	unknown string        // a device ID that has none
}

// hold lets units wait from now on, until release is called.
func (s *source) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := make(chan struct{})
	s.closed = gate
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = nil
		close(gate)
	})
}

func (s *source) forget(unit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknown = unit
}

// Fetch implements credentials.Source.
func (s *source) Fetch(ctx context.Context, unit string) (credentials.Credentials, error) {
	s.mu.Lock()
	gate, unknown := s.closed, s.unknown == unit
	s.mu.Unlock()
	if unknown {
		return credentials.Credentials{}, fmt.Errorf("unit %s: %w", unit, credentials.ErrUnknownUnit)
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return credentials.Credentials{}, context.Cause(ctx)
		}
	}
	return s.Source.Fetch(ctx, unit)
}
