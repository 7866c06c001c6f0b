package station

import (
	"fmt"

	"hoptech.co.nz/flashd/flasher"
)

// A unit in secure download mode can be written, and tells nothing: not which
// unit it is, nor what its flash holds. Without its MAC the record cannot say
// whether it has passed before, and no credentials are its own; without digests
// nothing is verified. So it cannot pass, and is left as it is unless somebody
// takes it upon himself: see Config.Unverified.

// unverifiedFlash is how much flash such a unit is taken to have; 0 is to leave
// it alone.
func (a *attempt) unverifiedFlash() int {
	if a.Unverified == "" {
		return 0
	}
	return a.Release.FlashSize
}

// goBlind is identify for such a unit.
func (a *attempt) goBlind() error {
	a.board.identified(a.slot.Slot, "", a.dev.Chip().Title)
	if err := a.rightChip(); err != nil {
		return err
	}
	if known := a.decision.Unit.ID; known != "" {
		return &fault{string(flasher.WrongUnit), fmt.Errorf("unit %s was changed for one in secure download mode", known)}
	}
	a.blind = true
	a.log.Warn("the unit is in secure download mode: it is written without verifying it", "why", a.Unverified)
	return nil
}

// unverified is how the path of such a unit ends at best.
func (a *attempt) unverified() error {
	return &phaseError{"verify", &fault{string(flasher.Unverifiable), fmt.Errorf(
		"release %s was written, but the unit is in secure download mode: nothing of it is verified, and it has no credentials (asked for %s)",
		a.Release.Name, a.Unverified)}}
}
