package station

import (
	"context"
	"errors"
	"fmt"
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

// open makes the attempt durable before anything is done to the unit, and reports
// whether it is. A unit whose attempt cannot be recorded waits untouched, as long
// as it is there and ctx lasts.
func (a *attempt) open(ctx context.Context) bool {
	refused := false
	err := a.insist(ctx, a.recording, func() (err error) {
		if refused {
			if err := a.comeBack(ctx); err != nil {
				return err
			}
		}
		a.began = time.Now()
		a.record, err = a.Store.Begin(jobs.Attempt{
			Slot: a.slot.Name, Path: a.slot.Path, Start: a.began,
			Release: a.Release.Name, ReleaseDigest: a.Release.Digest, Tool: a.Version,
			Current: phases[0].name,
		})
		return err
	}, func() {
		refused = true
		a.showUnwritten(a.recording.hint)
	})
	switch {
	case err == nil:
		a.board.begin(a.slot.Slot, a.record.ID)
		a.tell(HookAttach)
		return true
	case !refused || errors.Is(err, jobs.ErrDamaged):
		a.recordLost(err)
	}
	return false
}

// showUnwritten shows that the attempt is not recorded as it should be.
func (a *attempt) showUnwritten(hint string) {
	text := sentence(a.recording.trouble)
	a.board.end(a.slot.Slot, Errored, text, hint)
	a.record.Outcome, a.record.Failure = jobs.Error, &jobs.Failure{Kind: kindStore, Text: text}
	a.tellEnd()
}

// recordLost stops the line: without a record no unit may be touched.
func (a *attempt) recordLost(err error) {
	a.stop(fmt.Errorf("the record cannot be written (%w): look for a full or failing disk, then start flashd again", err))
	a.showUnwritten("Call the engineer.")
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

// close makes the outcome durable and shows it.
func (a *attempt) close(ctx context.Context) (finished bool) {
	a.result.End = a.began.Add(time.Since(a.began)) // also if the clock was set meanwhile
	a.result.BootCheckOff = !a.BootCheck.Enabled || a.result.BootCheckOff
	var record jobs.Attempt
	err := a.keep(ctx, a.recording, func() (err error) {
		record, err = a.Store.Finish(a.record.ID, a.result)
		return err
	})
	switch {
	case err != nil && ctx.Err() != nil:
		a.log.Error("flashd stops before the end of the attempt could be recorded; when it starts, the unit is begun again", "err", err)
		a.showUnwritten(a.recording.hint)
		return false
	case err != nil:
		a.recordLost(err)
		return false
	}
	a.record = record
	a.report(record)
	a.dropHeld()
	if f := record.Failure; f != nil {
		a.stopAfter(*f)
	}
	return record.Outcome == jobs.Pass || record.Outcome == jobs.Fail
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
