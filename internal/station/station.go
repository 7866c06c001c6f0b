package station

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// Station is a running line.
type Station struct {
	Config
	plan      plan // the release made ready for the wire
	escrow    escrow
	rescue    rescue
	metrics   *metrics
	board     *board       // what people see
	quota     *quota       // how many more units to do
	hold      hold         // why the line waits
	recording *keeper      // of the record
	answers   answers      // of the source of credentials
	fetching  atomic.Int32 // units whose credentials it is asked for
	hubs      *hubs
	hooks     *hooks
	slots     *slotSet

	impatient   chan struct{} // closed when units under way are to wait no longer for what is not theirs
	abandon     chan struct{} // closed when units under way are to be abandoned at once
	abandonOnce sync.Once
}

// New makes everything ready that is the same for all units.
func New(cfg Config) (*Station, error) {
	plan, err := newPlan(cfg.Release, cfg.Previous)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", cfg.Release.Name, err)
	}
	escrow, err := openEscrow(cfg.KeyEscrow)
	if err != nil {
		return nil, err
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	s := &Station{
		Config:  cfg,
		plan:    plan,
		escrow:  escrow,
		rescue:  rescue{newRescueKeeper(), cfg.Rescue},
		metrics: newMetrics(cfg.Registry),
		quota:   newQuota(cfg.Units),
		hubs:    newHubs(cfg.MaxPerHub),
		hooks:   newHooks(cfg.Hook, cfg.Log),
		hold:    hold{stopped: make(chan struct{})},

		recording: newRecordKeeper(),

		impatient: make(chan struct{}), abandon: make(chan struct{}),
	}
	s.metrics.setSource(cfg.Source.Name())
	s.metrics.setBuild(cfg.Version, cfg.Release.Name)
	s.board = newBoard(s.header(), cfg.Slots, s.metrics)
	s.slots = s.newSlots()
	return s, nil
}

func (s *Station) header() View {
	return View{
		Station: s.Name, Release: s.Release.Name, Version: s.Version,
		Simulated: s.Simulated, Started: time.Now(),
	}
}

// ErrDrain is the cause of a context whose end lets the units under way finish.
var ErrDrain = errors.New("no further units are begun")

// errStopped ends attempts that do not finish in time when the station stops.
var errStopped = errors.New("the station was stopped")

// Run works on the units that events announce until ctx ends, the quota of
// units is done, or the events end. Attempts that are under way then get
// Grace to finish; those that do not are abandoned, recorded as aborted, and
// named in the log. If ctx ends with ErrDrain as its cause, they get as long as
// they take, but for those that wait for their credentials or for a folder: they get
// Grace. Units that leave meanwhile are noticed as before.
func (s *Station) Run(ctx context.Context, events <-chan hotplug.Event) error {
	defer s.hooks.close()
	sh := s.beginShift(ctx, events)
	defer sh.end()
	err := sh.takeUnits(ctx)
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrDrain) {
		sh.windDown(sh.abandon)
	} else {
		sh.windDown(sh.losePatience)
	}
	return err
}

// Abandon has a station that was stopped wait no longer for its units.
func (s *Station) Abandon() { s.abandonOnce.Do(func() { close(s.abandon) }) }
