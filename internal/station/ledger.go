package station

import (
	"context"
	"fmt"

	"hoptech.co.nz/flashd/jobs"
)

// ledger asks the record whether this unit may be written, and has the unit's
// credentials fetched while its firmware is.
func (a *attempt) ledger(ctx context.Context) error {
	if a.decision.Unit.ID == "" {
		err := a.keep(ctx, a.recording, func() (err error) {
			a.decision, err = a.Store.Identify(a.record.ID, a.dev.MAC().DeviceID(), a.dev.Chip().Name)
			return err
		})
		if err != nil {
			return &fault{kindStore, err}
		}
		a.log = a.log.With("unit", a.decision.Unit.ID)
	}
	switch a.decision.Verdict {
	case jobs.AlreadyPassed:
		return &fault{kindAlreadyDone, fmt.Errorf("unit %s passed on %s", a.decision.Unit.ID, a.decision.Unit.PassedAt.Local().Format("2 January 2006 at 15:04 MST"))}
	case jobs.Lapsed:
		return &fault{kindLapsed, fmt.Errorf("the rework of unit %s was begun, and expired or was cancelled before it was done", a.decision.Unit.ID)}
	case jobs.Busy:
		return &fault{kindBusy, fmt.Errorf("unit %s is being worked on in slot %s", a.dev.MAC().DeviceID(), a.decision.Other.Slot)}
	}
	if err := a.checkRework(); err != nil {
		return err
	}
	if a.keepsNVS() {
		if err := a.findHeld(ctx); err != nil {
			return err
		}
	}
	if a.asksEarly() {
		a.ask()
	}
	if how := a.decision.Verdict.Rewrites(); how != "" {
		a.board.rework(a.slot.Path, Reworking(how))
	}
	return nil
}

// writesFirmware reports whether more is written than what is the unit's own.
func (a *attempt) writesFirmware() bool { return a.decision.Verdict != jobs.ReworkNVS }

// keepsFirmware reports whether the firmware stays, and is to be proved untouched.
func (a *attempt) keepsFirmware() bool { return !a.writesFirmware() }

// keepsNVS reports whether what the unit has in NVS stays, but for what is renewed:
// also in a rework that has to write the firmware, since nobody knows what it is.
func (a *attempt) keepsNVS() bool { return a.decision.Rework != nil && !a.decision.Rework.Reflash }
