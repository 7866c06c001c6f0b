package station

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/jobs"
)

// attempt is one insertion of one unit.
type attempt struct {
	*Station
	slot   *slot
	port   hotplug.Device
	home   hotplug.Device // the port on which the unit was identified
	began  time.Time
	record jobs.Attempt
	log    *slog.Logger

	dev       *flasher.Device
	bound     atomic.Pointer[hotplug.Device] // what must stay in the slot; nil: it may leave and come back
	decision  jobs.Decision
	blind     bool              // the unit tells nothing: see unverified.go
	errand    *errand           // fetches the unit's credentials
	asked     bool              // they are wanted
	own       []*flasher.Packed // what only this unit gets, packed
	untouched untouched         // the firmware that a rework leaves
	nvs       heldNVS           // of a unit that keeps some of it
	helpers   sync.WaitGroup

	result  jobs.Result
	revived bool    // the port has been reset; once has to do
	missing missing // of its port
	try     int     // how often the phases have been begun
	ended   int     // percent of the progress bar that the phases before have filled
	now     phase   // that is running
}

func newAttempt(sl *slot, device hotplug.Device) *attempt {
	return &attempt{
		Station: sl.station, slot: sl, port: device,
		log:    sl.station.Log.With("slot", sl.Name),
		errand: newErrand(),
	}
}

// run takes the unit through the line and reports whether it is finished, that
// is, passed or failed.
func (a *attempt) run(work context.Context) (finished bool) {
	ctx, cancel := context.WithCancelCause(work)
	defer a.helpers.Wait()
	defer cancel(nil)
	a.helpers.Go(func() { a.watchDeparture(ctx, cancel) })
	a.helpers.Go(func() { a.runErrand(ctx) })

	err := a.provision(ctx)
	a.hangUp()
	a.result.Outcome, a.result.Failure = a.judge(ctx, err)
	return a.close(work)
}

// watchDeparture ends the attempt when the unit that is bound to it is taken
// out, changed for another, or enumerated anew.
func (a *attempt) watchDeparture(ctx context.Context, cancel context.CancelCauseFunc) {
	_, err := a.slot.presence.until(ctx, func(d *hotplug.Device) bool {
		bound := a.bound.Load()
		return bound != nil && other(*bound)(d)
	})
	if err == nil {
		cancel(flasher.Detached)
	}
}

// hangUp gives the port back, and counts what was written.
func (a *attempt) hangUp() {
	a.bound.Store(nil)
	if a.dev == nil {
		return
	}
	written := a.dev.Written()
	a.result.Written += written
	a.metrics.wrote(int(written))
	if err := a.dev.Close(); err != nil {
		a.log.Debug("port does not close", "err", err)
	}
	a.dev = nil
}

// stopAfter stops the line if the next unit would meet the same failure.
func (a *attempt) stopAfter(f jobs.Failure) {
	switch {
	case stopsLine(f.Kind):
		a.stop(errors.New(f.Text + " " + f.Hint))
	case f.Kind == kindBadAnswer:
		if err := a.answers.unfit(a.record.Unit, f.Text); err != nil {
			a.stop(err)
		}
	}
}

// report tells the board, the metrics and the log how it ended.
func (a *attempt) report(r jobs.Attempt) {
	a.metrics.attemptEnded(r)
	a.board.finished(r)
	a.tellEnd()
	log := a.log.With("attempt", r.ID, "outcome", r.Outcome, "took", r.End.Sub(r.Start).Round(time.Millisecond))
	if f := r.Failure; f != nil {
		log.Warn("attempt ended", "phase", f.Phase, "kind", f.Kind, "why", f.Text)
		return
	}
	log.Info("attempt ended")
}
