package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

// sameLayout makes sure that what is the unit's own has the place in a unit
// whose firmware stays that it has in this release: else the write would hit
// something else, or the firmware would not find it.
func (a *attempt) sameLayout(ctx context.Context) error {
	table, err := a.readTable(ctx)
	if err != nil {
		return err
	}
	a.table = table
	own := []firmware.Partition{a.Release.NVS}
	if a.Release.NVSKeys != nil {
		own = append(own, *a.Release.NVSKeys)
	}
	for _, want := range own {
		p, ok := table.Find(want.Label)
		if !ok || p.Offset != want.Offset || int(p.Size) != want.Size {
			return &fault{kindOtherLayout, fmt.Errorf("the unit's partition table has no %q of %#x bytes at %#x", want.Label, want.Size, want.Offset)}
		}
	}
	return a.sameScheme(table)
}

// readTable returns the unit's partition table. Mostly it is that of the
// release, which the chip says sooner than it is read.
func (a *attempt) readTable(ctx context.Context) (flasher.PartitionTable, error) {
	for i, s := range a.plan.segments {
		if s.Offset != a.plan.table {
			continue
		}
		if held, err := a.dev.Holds(ctx, s); err != nil {
			return nil, err
		} else if held {
			return flasher.ParsePartitionTable(a.Release.Segments[i].Data)
		}
	}
	raw, err := a.dev.ReadFlash(ctx, a.plan.table, flasher.PartitionTableSize, nil)
	if err != nil {
		return nil, err
	}
	table, err := flasher.ParsePartitionTable(raw)
	if err != nil {
		return nil, &fault{kindOtherLayout, err}
	}
	return table, nil
}

// sameScheme refuses a unit whose NVS is encrypted where this release has it
// plain, and the other way round: its firmware, which stays, would erase what is
// written. The record tells which; keys in the flash may be from an earlier life.
// Where its attempts are archived, the NVS that the unit has must open this way.
func (a *attempt) sameScheme(table flasher.PartitionTable) error {
	i := slices.IndexFunc(table, func(p flasher.Partition) bool {
		return p.Type == flasher.DataPartition && p.SubType == flasher.NVSKeys
	})
	if i < 0 {
		return nil // such firmware knows plain NVS only
	}
	a.mustOpen = true
	for passed, err := range a.Store.Attempts(jobs.Filter{Unit: a.decision.Unit.ID, Outcome: jobs.Pass, Limit: 1}) {
		a.mustOpen = false
		if err != nil {
			return &fault{kindStore, err}
		}
		encrypted := slices.ContainsFunc(passed.Verified, func(r jobs.Region) bool { return r.Offset == table[i].Offset })
		switch encrypts := a.Release.NVSKeys != nil; {
		case encrypted && !encrypts:
			return &fault{kindOtherLayout, fmt.Errorf("the unit's NVS is encrypted, and release %s does not encrypt it", a.Release.Name)}
		case !encrypted && encrypts:
			return &fault{kindOtherLayout, fmt.Errorf("the unit's NVS is plain, and release %s encrypts it", a.Release.Name)}
		}
	}
	return nil
}

// personalize writes what is the unit's own: its NVS partition and, if that is
// encrypted, the keys of it.
func (a *attempt) personalize(ctx context.Context) error {
	if a.held != nil {
		return a.renew(ctx)
	}
	values := a.values()
	own, err := a.Release.Personal(values)
	if err != nil {
		return a.templateFault(err)
	}
	if a.decision.Rework != nil {
		if err := a.set(&own, values); err != nil {
			return err
		}
	}
	a.answered()
	if a.own, err = packOwn(a.Release, own); err != nil {
		return err
	}
	if err := a.confirmOwner(ctx, own.Keys); err != nil {
		return err
	}
	for _, p := range a.own {
		if err := a.dev.UpdateFlash(ctx, p, nil); err != nil {
			return err
		}
	}
	return nil
}

// set makes the settings of a rework in an NVS partition that is new.
func (a *attempt) set(own *firmware.Personal, values firmware.Values) error {
	settings := a.renewal().Set
	if len(settings) == 0 {
		return nil
	}
	held, err := a.Release.ReadHeld(own.NVS, own.Keys)
	if err != nil {
		return &fault{kindTemplate, err}
	}
	renewed, err := held.Renew(values, firmware.Renewal{Set: settings})
	if err != nil {
		return &fault{kindUnfit, err}
	}
	own.NVS = renewed.NVS
	return nil
}

// values are what the placeholders of the NVS template stand for in this unit,
// without its credentials if it keeps those.
func (a *attempt) values() firmware.Values {
	if !a.asked {
		return firmware.Values{firmware.DeviceID: a.decision.Unit.ID}
	}
	secrets := a.errand.secrets // which phase credentials has waited for
	return firmware.Values{
		firmware.DeviceID: secrets.DeviceID,
		firmware.MQTTUser: secrets.MQTTUser,
		firmware.MQTTPass: secrets.MQTTPassword.Reveal(),
		firmware.MQTTHost: secrets.MQTTHost,
		firmware.MQTTPort: portText(secrets.MQTTPort),
	}
}

// templateFault tells a unit's values that do not suit the template from a template
// that suits no unit: what the source of credentials says may be odd about one unit.
func (a *attempt) templateFault(err error) error {
	if a.asked && errors.Is(err, firmware.ErrValues) {
		return &fault{kindBadAnswer, err}
	}
	return &fault{kindTemplate, err}
}

// answered takes note that the unit's credentials could be used, if it got some.
func (a *attempt) answered() {
	if a.asked {
		a.answers.fit()
	}
}

// confirmOwner makes sure that what is about to be written is this MAC's and no
// other's, and that a copy of its keys is kept.
func (a *attempt) confirmOwner(ctx context.Context, keys []byte) error {
	if err := a.dev.ConfirmMAC(ctx); err != nil {
		return err
	}
	if keys == nil {
		return nil
	}
	if err := a.escrow.keep(a.dev.MAC().DeviceID(), keys); err != nil {
		return &fault{kindEscrow, err}
	}
	return nil
}

// renew changes some keys of the NVS partition that the unit has. Its NVS keys, if
// there are any, stay: new ones would make a power cut lose everything.
func (a *attempt) renew(ctx context.Context) error {
	renewed, err := a.held.Renew(a.values(), a.renewal())
	if errors.Is(err, firmware.ErrUnfit) {
		return &fault{kindUnfit, err}
	}
	if err != nil {
		return a.templateFault(err)
	}
	a.answered()
	a.note(fmt.Sprintf("In NVS %s was set and %d other keys were kept.", strings.Join(renewed.Changed, ", "), renewed.Kept))
	if !renewed.Safe {
		a.note("There was no room to change NVS page by page, so all of it was packed anew.")
	}
	if a.own, err = packOwn(a.Release, firmware.Personal{NVS: renewed.NVS, Keys: renewed.Keys}); err != nil {
		return err
	}
	if err := a.confirmOwner(ctx, renewed.Keys); err != nil {
		return err
	}
	if err := a.keepHeld(); err != nil {
		return err
	}
	if err := a.writePages(ctx, renewed.Writes); err != nil || a.try == 1 {
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

// packOwn makes ready what is the unit's own, in the order of writing.
func packOwn(r *firmware.Release, own firmware.Personal) ([]*flasher.Packed, error) {
	nvs, err := flasher.Pack(r.NVS.Label, r.NVS.Offset, own.NVS)
	if err != nil || own.Keys == nil {
		return []*flasher.Packed{nvs}, err
	}
	keys, err := flasher.Pack(r.NVSKeys.Label, r.NVSKeys.Offset, own.Keys)
	return []*flasher.Packed{keys, nvs}, err
}

func (a *attempt) verifyNVS(ctx context.Context) error {
	err := a.verifyAll(ctx, a.own)
	if err == nil {
		a.before = heldBytes{} // what counts is what is there now
	}
	return err
}
