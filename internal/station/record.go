package station

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hoptech.co.nz/flashd/jobs"
)

// newRecordKeeper looks after the record. Nothing may be done without it, so that it is
// waited for as long as it takes.
func newRecordKeeper() *keeper {
	return &keeper{
		hinders: unrecorded, trouble: "the record cannot be written",
		hint:    "Leave the board in its slot and call the engineer: it goes on by itself when there is room on the disk.",
		cure:    "Make room on the disk: units go on by themselves then.",
		passes:  func(err error) bool { return errors.Is(err, jobs.ErrUnwritten) },
		patient: true,
	}
}

// open makes the attempt durable before anything is done to the unit, and reports
// whether it is. A unit whose attempt cannot be recorded waits untouched, as long
// as it is there and ctx lasts.
func (a *attempt) open(ctx context.Context) bool {
	refused := false
	begin := func() error {
		if refused { // it may have gone meanwhile
			if err := a.comeBack(ctx); err != nil {
				return err
			}
		}
		return a.begin()
	}
	err := a.insist(ctx, a.recording, begin, func() {
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

func (a *attempt) begin() (err error) {
	a.began = time.Now()
	a.record, err = a.Store.Begin(jobs.Attempt{
		Slot: a.slot.Name, Path: a.slot.Path, Start: a.began,
		Release: a.Release.Name, ReleaseDigest: a.Release.Digest, Tool: a.Version,
		Current: phases[0].name,
	})
	return err
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
