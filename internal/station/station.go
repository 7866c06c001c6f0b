package station

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/jobs"
)

// Config is all that a station needs. Every field without a remark is required.
type Config struct {
	Name    string // of the station, shown to people
	Version string // of flashd, recorded with every attempt
	Store   *jobs.Store
	Release *firmware.Release
	// Previous is the release that the units are believed to hold: only what
	// differs from it is written. nil: nothing is known.
	Previous *firmware.Release
	// Releases finds another release by its name, to prove that the firmware of a
	// unit that has it is not touched by a rework. nil: there are no others.
	Releases func(name string) (*firmware.Release, error)
	Source   credentials.Source
	Open     func(context.Context, hotplug.Device) (flasher.Port, error)
	// ResetPort has the port of a unit that gives no sync start afresh, without
	// cutting its power; nil: nobody can. The unit may leave the USB with it
	// and come back.
	ResetPort func(context.Context, hotplug.Device) error
	// Hook is told what happens in the slots; nil: nobody is. No unit waits for
	// it. What happens in one slot it is told in order, one thing at a time. It
	// has to return soon when its context ends.
	Hook func(context.Context, Happening)

	// Unverified is why, and for whom, units in secure download mode are written
	// all the same: without knowing which they are, without credentials, and
	// without ever passing. "": they are left as they are.
	Unverified string

	Slots     []Slot        // in fixture order; none: every device is a slot of its own
	Flasher   FlasherConfig // how to talk to chips
	BootCheck BootCheck
	Rescue    string                // folder that keeps what a unit's NVS held until its rework is done; "": the unit alone has it
	KeyEscrow string                // folder that gets a copy of each unit's NVS keys; "": they are in the unit alone
	MaxPerHub int                   // how many units behind one USB hub are written at once; 0: all
	Retries   int                   // how often an attempt is begun again by itself where that may help
	Units     int                   // stop after that many finished units; 0: never
	Grace     time.Duration         // what running attempts get when the station is stopped
	Simulated bool                  // the units are simulated chips
	Registry  prometheus.Registerer // nil: no metrics
	Log       *slog.Logger
}

// Slot is one nest of the fixture: a place on the USB tree with a name.
type Slot struct {
	Path string // USB topology path: "1-1.2"
	Name string // as written beside it
}

// FlasherConfig says how chips are talked to.
type FlasherConfig struct {
	Baud   int    // for UARTs, in bits per second; 0: 115200
	NoStub bool   // use the ROM loader only
	Reset  string // how boards get into download mode that are wired otherwise; see flasher.Options
}

// BootCheck says whether a unit has to start and say its Device ID.
type BootCheck struct {
	Enabled bool
	Limit   time.Duration // what it gets for that
}

// Station is a running line.
type Station struct {
	Config
	plan      plan // the release made ready for the wire
	escrow    escrow
	rescue    rescue
	metrics   *metrics
	board     *board    // what people see
	quota     *quota    // how many more units to do
	halt      halt      // why no unit is begun any more
	recording recording // whether the record can be written
	answers   answers   // of the source of credentials
	hubs      *hubs
	hooks     *hooks
	slots     *slotSet

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
		rescue:  rescue(cfg.Rescue),
		metrics: newMetrics(cfg.Registry),
		quota:   newQuota(cfg.Units),
		hubs:    newHubs(cfg.MaxPerHub),
		hooks:   newHooks(cfg.Hook, cfg.Log),
		halt:    halt{set: make(chan struct{})},
		abandon: make(chan struct{}),
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

// Run works on the units that events announce until ctx ends, the quota of
// units is done, or the events end. Attempts that are under way then get
// Grace to finish; those that do not are abandoned, recorded as aborted, and
// named in the log. If ctx ends with ErrDrain as its cause, they get as long as
// they take.
func (s *Station) Run(ctx context.Context, events <-chan hotplug.Event) error {
	defer s.hooks.close()
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	accept, stop := context.WithCancel(ctx)
	defer stop()

	// A daemon goes on showing why it has stopped; a run of so many units ends.
	var halted <-chan struct{}
	if s.Units > 0 {
		halted = s.halt.set
	}
	slots := s.slots
	var wg sync.WaitGroup
	for {
		select {
		case event, ok := <-events:
			if !ok {
				stop()
				wg.Wait()
				return nil
			}
			if slot, isNew := slots.find(event.Device.Path); slot != nil {
				if isNew {
					wg.Go(func() { slot.loop(accept, work) })
				}
				slot.presence.set(event)
			}
		case <-s.quota.done:
			stop()
			wg.Wait()
			return nil
		case <-halted:
			stop()
			wg.Wait()
			return s.Ready()
		case <-ctx.Done():
			var grace <-chan time.Time
			if !errors.Is(context.Cause(ctx), ErrDrain) {
				grace = time.After(s.Grace)
			}
			return s.windDown(&wg, grace, abandon)
		}
	}
}

// windDown waits for the attempts under way, but not for ever.
func (s *Station) windDown(wg *sync.WaitGroup, grace <-chan time.Time, abandon context.CancelCauseFunc) error {
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-grace:
	case <-s.abandon:
	}
	abandon(errStopped)
	<-ended
	return nil
}

// Abandon has a station that was stopped wait no longer for its units.
func (s *Station) Abandon() { s.abandonOnce.Do(func() { close(s.abandon) }) }

// errStopped ends attempts that do not finish in time when the station stops.
var errStopped = fmt.Errorf("the station was stopped")
