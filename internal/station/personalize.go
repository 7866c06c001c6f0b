package station

import (
	"context"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/nvsgen"
)

// personalize writes what is the unit's own: its NVS partition and, if that is
// encrypted, the keys of it. That it is this MAC's, and no other's, the chip says now.
func (a *attempt) personalize(ctx context.Context) error {
	if err := a.dev.ConfirmMAC(ctx); err != nil {
		return err
	}
	if a.nvs.held != nil {
		return a.writeRenewed(ctx)
	}
	for _, p := range a.own {
		if err := a.dev.UpdateFlash(ctx, p, nil); err != nil {
			return err
		}
	}
	return nil
}

// writeRenewed writes the pages of NVS that have changed.
func (a *attempt) writeRenewed(ctx context.Context) error {
	if err := a.writePages(ctx, a.nvs.pages); err != nil || a.try == 1 {
		return err
	}
	// The write that did not arrive may have hit another page.
	return a.dev.UpdateFlash(ctx, a.own[len(a.own)-1], nil)
}

// writePages writes pages of the NVS partition one after the other: each has to be
// there before the next may take the place of what it is a copy of. Those that are
// there since an earlier try may be the only copy by now.
func (a *attempt) writePages(ctx context.Context, pages []nvsgen.PageWrite) error {
	for _, w := range pages {
		page, err := flasher.Pack(a.Release.NVS.Label, a.Release.NVS.Offset+uint32(w.Page*nvsgen.PageSize), w.Data)
		if err != nil {
			return err
		}
		if a.try > 1 {
			if held, err := a.dev.Holds(ctx, page); err != nil {
				return err
			} else if held {
				continue
			}
		}
		if err := a.dev.WriteFlash(ctx, page, nil); err != nil {
			return err
		}
		if err := a.dev.Verify(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// verifyNVS has the chip say that it holds what is the unit's own.
func (a *attempt) verifyNVS(ctx context.Context) error {
	err := a.verifyAll(ctx, a.own)
	if err == nil {
		a.nvs.before = heldBytes{} // what counts is what is there now
	}
	return err
}
