package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// line is everything that serve runs.
type line struct {
	settings
	log      *slog.Logger
	store    *jobs.Store
	registry *prometheus.Registry
	from     supply // where units come from
	station  *station.Station
	control  net.Listener
	board    net.Listener
	token    credentials.Secret // that changes over the board's listener want
	shown    *web.Certificate   // by it; nil: plain HTTP
}

// newLine checks and opens everything that the line needs, so that a mistake
// stops it before any unit is touched.
func newLine(cfg settings, log *slog.Logger) (_ *line, err error) {
	l := &line{settings: cfg, log: log, registry: newRegistry(cfg.StateDir)}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	p, err := cfg.parts(func(err error) { l.station.AwaitCredentials(heldBy(err)) }, log)
	if err != nil {
		return nil, err
	}
	if l.store, err = openStore(cfg.StateDir, log); err != nil {
		return nil, err
	}
	if cfg.simulate > 0 && cfg.Credentials.Source != "" {
		log.Info("simulated units get demo credentials, not those of the configuration")
	}
	if l.from, err = cfg.supply(p.release, log); err != nil {
		return nil, err
	}
	l.station, err = station.New(station.Config{
		Name: cfg.Station, Version: version, Store: l.store, Release: p.release, Previous: p.previous, Releases: cfg.releaseNamed, Source: p.source,
		Open: l.from.Open, ResetPort: l.from.ResetPort, Slots: l.from.Slots(), Hook: p.hook, Simulated: cfg.simulate > 0,
		Flasher: cfg.flasherConfig(), BootCheck: cfg.bootCheck(), KeyEscrow: cfg.keyEscrow(), Rescue: cfg.rescue(),
		MaxPerHub: cfg.USB.MaxPerHub, Retries: cfg.MaxRetries, Units: cfg.units, Grace: cfg.grace,
		Registry: l.registry, Log: log,
	})
	if err != nil {
		return nil, err
	}
	if l.control, err = web.ListenUnix(cfg.StateDir); err != nil {
		return nil, err
	}
	var address string
	if l.board, address, err = cfg.listen(p.shown); err != nil {
		return nil, err
	}
	l.token, l.shown = p.token, p.shown
	log.Info("station started", "station", cfg.Station, "release", p.release.Name, "chip", p.release.Chip, "board", address, "version", version)
	return l, nil
}

// heldBy is what the board says while the config server is waited for.
func heldBy(err error) string {
	return "Waiting for the config server: " + err.Error() + ". Units go on when it answers."
}

func newRegistry(stateDir string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), freeSpace(stateDir))
	return r
}

// openStore opens the record and closes what a daemon that died left open.
func openStore(stateDir string, log *slog.Logger) (*jobs.Store, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, diskError(fmt.Errorf("state directory: %w", err))
	}
	store, err := jobs.Open(storePath(stateDir))
	if errors.Is(err, jobs.ErrInUse) {
		return nil, withHint(exitStoreInUse, err, "Another flashd runs on "+stateDir+"; stop it, or use another --state-dir.")
	}
	if err != nil {
		return nil, storeError(stateDir, err)
	}
	if newest, err := newestStart(store); err == nil && time.Now().Add(clockError).Before(newest) {
		log.Warn("the clock is behind the record: what is recorded now will be sorted before what was recorded last", "newest", newest)
	}
	aborted, err := store.Recover(time.Now())
	if err != nil {
		return nil, diskError(errors.Join(err, store.Close()))
	}
	for _, a := range aborted {
		log.Warn("an attempt was cut off when flashd last ended", "attempt", a.ID, "slot", a.Slot, "unit", a.Unit)
	}
	return store, nil
}

// newestStart is when the latest attempt in the record was begun; zero if there is none.
func newestStart(store *jobs.Store) (time.Time, error) {
	for a, err := range store.Attempts(jobs.Filter{Limit: 1}) {
		return a.Start, err
	}
	return time.Time{}, nil
}

func (l *line) close() {
	if l.from != nil {
		l.from.Close()
	}
	for _, listener := range []net.Listener{l.control, l.board} {
		if listener != nil {
			_ = listener.Close() // Serve has closed it already when all went well
		}
	}
	if l.store != nil {
		if err := l.store.Close(); err != nil {
			l.log.Error("the record does not close", "err", err)
		}
	}
}

// run works until ctx ends or the units are done. What shows the line goes on
// until the last unit is put down.
func (l *line) run(ctx context.Context, asked <-chan os.Signal, reload *reload, show func(<-chan station.View)) error {
	showCtx, stopShow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopShow()
	handlers := web.Config{
		Source: l.station, Store: l.store, Metrics: l.registry, Listen: l.Listen, Names: l.API.Names, Certificate: l.shown, Token: l.token, Log: l.log,
		Releases: func() ([]firmware.Summary, error) { return firmware.List(l.ImagesDir) },
		Archive:  l.archive,
	}

	group, groupCtx := errgroup.WithContext(showCtx)
	unitsCtx, endUnits := context.WithCancelCause(ctx)
	stopUnits := func() { endUnits(nil) }
	defer stopUnits()
	// Units under way may leave to the very last.
	watchCtx, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	// Asked to stop while it drains, it takes no longer than when it stops.
	stopDraining := context.AfterFunc(ctx, func() { l.abandonAfter(groupCtx, l.grace) })
	defer stopDraining()
	group.Go(func() error { return web.Serve(groupCtx, l.board, web.NewHandler(handlers), l.log) })
	group.Go(func() error { return web.Serve(groupCtx, l.control, web.NewControl(handlers), l.log) })
	group.Go(func() error { show(l.station.Watch(groupCtx)); return nil })
	group.Go(func() error { stopInOrder(groupCtx, asked, l.log, l.waiting, l.station.Abandon); return nil })
	group.Go(func() error { reload.await(groupCtx, l, endUnits); return nil })
	group.Go(func() error { tellSystemd(groupCtx, unitsCtx, l.station.View, l.log); return nil })
	group.Go(func() error { l.upkeep().run(groupCtx); return nil })
	group.Go(func() error { return l.from.Run(watchCtx, l.station) })
	group.Go(func() error {
		defer stopShow()
		defer stopWatching()
		defer stopUnits()
		stopOnFailure := context.AfterFunc(groupCtx, stopUnits)
		defer stopOnFailure()
		return l.station.Run(unitsCtx, l.from.Events())
	})
	return group.Wait()
}

// abandonAfter abandons the units that are still under way after d.
func (l *line) abandonAfter(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
		l.station.Abandon()
	case <-ctx.Done():
	}
}

// waiting says what a station that was asked to stop still waits for.
func (l *line) waiting() string {
	working := l.station.View().Working()
	if working == 0 {
		return "no unit is under way"
	}
	return fmt.Sprintf("%d under way, with up to %v to finish; asked again, flashd abandons them", working, l.grace)
}

// sumUp says what a run of so many units came to. One that was cut short is
// no success.
func (l *line) sumUp(ctx context.Context, w io.Writer) error {
	if l.units == 0 {
		return nil // it runs until it is stopped
	}
	totals := l.station.View().Totals
	summary(w, totals)
	if l.simulate > 0 {
		fmt.Fprintf(w, "units' flash      %s\n", l.simulatedDir())
	}
	if totals.Units < l.units {
		return context.Cause(ctx)
	}
	return nil
}
