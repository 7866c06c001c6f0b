package station

import (
	"context"
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
)

// sameLayout makes sure that what is the unit's own has the place in a unit
// whose firmware stays that it has in this release: else the write would hit
// something else, or the firmware would not find it.
func (a *attempt) sameLayout(ctx context.Context) error {
	table, err := a.readTable(ctx)
	if err != nil {
		return err
	}
	a.untouched.table = table
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
		return p.IsData(flasher.NVSKeys)
	})
	if i < 0 {
		return nil // such firmware knows plain NVS only
	}
	a.nvs.mustOpen = true
	for passed, err := range a.Store.Attempts(jobs.Filter{Unit: a.decision.Unit.ID, Outcome: jobs.Pass, Limit: 1}) {
		a.nvs.mustOpen = false
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
