package station

import (
	"context"
	"fmt"

	"hoptech.co.nz/flashd/flasher"
)

// identify learns which unit it is, and that it is one for this release.
func (a *attempt) identify(ctx context.Context) error {
	if err := a.dev.Identify(ctx); err != nil {
		return err
	}
	if a.dev.Security().SecureDownload {
		return a.goBlind()
	}
	unit := a.dev.MAC().DeviceID()
	if known := a.decision.Unit.ID; known != "" && known != unit {
		a.port = a.home // if the other one has come with a port of its own, it is begun next
		return &fault{string(flasher.WrongUnit), fmt.Errorf("unit %s was changed for %s", known, unit)}
	}
	a.home = a.port
	a.board.identified(a.slot.Slot, unit, a.dev.Chip().Title)
	if err := a.rightChip(); err != nil {
		return err
	}
	if err := a.dev.CheckRevision(ctx, a.Release.MinRevision, a.Release.MaxRevision); err != nil {
		return err
	}
	if security := a.dev.Security(); security != (flasher.Security{}) {
		return &fault{string(flasher.Secured), fmt.Errorf("the unit has %s enabled", security)}
	}
	return nil
}

func (a *attempt) rightChip() error {
	if chip := a.dev.Chip(); chip != a.plan.chip {
		return &fault{string(flasher.WrongChip), fmt.Errorf("the unit has the chip %s, release %s is for %s", chip, a.Release.Name, a.plan.chip)}
	}
	return nil
}
