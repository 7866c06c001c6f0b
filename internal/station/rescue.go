package station

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
)

// rescue is the folder that keeps, from the first write of a rework until the unit
// passes, what its NVS partition held before. Whatever a power cut leaves of that,
// and whatever the unit's firmware makes of it if it starts before the rework goes
// on, nothing is lost. Without a name it keeps nothing.
type rescue struct {
	*keeper
	dir string
}

// open opens the folder, which it makes if need be.
func (r rescue) open() (*os.Root, error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenRoot(r.dir)
}

// fileOf names the copy for one rework of one unit.
func fileOf(unit string, rework uint64) string { return fmt.Sprintf("%s-%d.nvs", unit, rework) }

// keep keeps a copy.
func (r rescue) keep(unit string, rework uint64, nvs []byte) error {
	if r.dir == "" {
		return nil
	}
	root, err := r.open()
	if err != nil {
		return err
	}
	defer root.Close()
	return replacePrivate(root, fileOf(unit, rework), nvs)
}

// find returns what was kept for the first of some reworks for which anything was, or
// nil.
func (r rescue) find(unit string, reworks []uint64) ([]byte, error) {
	if r.dir == "" {
		return nil, nil
	}
	root, err := r.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, rework := range reworks {
		nvs, err := root.ReadFile(fileOf(unit, rework))
		if !errors.Is(err, fs.ErrNotExist) {
			return nvs, err
		}
	}
	return nil, nil
}

// drop removes all that was kept for a unit.
func (r rescue) drop(unit string) error {
	if r.dir == "" {
		return nil
	}
	root, err := r.open()
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := fs.Glob(root.FS(), unit+"-*")
	for _, name := range names {
		err = errors.Join(err, root.Remove(name))
	}
	return err
}

// newRescueKeeper looks after the folder.
func newRescueKeeper() *keeper {
	return &keeper{
		hinders: unrescued, trouble: "the folder for what units held before their rework cannot be used",
		hint:   "Leave the board in its slot and call the engineer: it goes on by itself when what it holds can be kept.",
		cure:   "Look for a full disk, and at who owns the folder reworks in the state directory: units go on by themselves then.",
		passes: func(error) bool { return true },
	}
}

// findHeld finds out what the unit held when its rework was first begun, if that was
// cut off.
func (a *attempt) findHeld(ctx context.Context) error {
	undone, err := a.undone()
	if err != nil {
		return &fault{kindStore, err}
	}
	return a.rescued(ctx, func() (err error) {
		a.nvs.rescued, err = a.rescue.find(a.decision.Unit.ID, undone)
		return err
	})
}

// undone returns the unit's reworks since the last that was done, the oldest first: one
// that has expired, or was cancelled or replaced, may have been cut off, and what it
// left is the unit's state until it passes. What was kept for one that was done is what
// the unit held long ago.
func (a *attempt) undone() (reworks []uint64, err error) {
	for r, err := range a.Store.Reworks(a.decision.Unit.ID, 0) {
		if err != nil {
			return nil, err
		}
		if !r.Used.IsZero() {
			break
		}
		reworks = append(reworks, r.ID)
	}
	slices.Reverse(reworks)
	return reworks, nil
}

// keepHeld makes sure that what the unit holds outlives the writes to come, unless what
// it held before these were begun for the first time is kept.
func (a *attempt) keepHeld(ctx context.Context) error {
	if a.nvs.rescued != nil {
		return nil
	}
	return a.rescued(ctx, func() error { return a.rescue.keep(a.decision.Unit.ID, a.decision.Rework.ID, a.nvs.before.nvs) })
}

// rescued uses the folder, and waits until that can be done.
func (a *attempt) rescued(ctx context.Context, use func() error) error {
	err := a.keep(ctx, a.rescue.keeper, use)
	if err != nil && !errors.Is(err, errStopped) {
		return &fault{kindStore, fmt.Errorf("what the unit's NVS holds cannot be kept: %w", err)}
	}
	return err
}

// openHeld opens what the unit holds now, with what it has lost meanwhile.
func (a *attempt) openHeld() (*firmware.Held, error) {
	if a.nvs.rescued == nil {
		return a.Release.ReadHeld(a.nvs.before.nvs, a.nvs.before.keys)
	}
	held, lost, err := a.Release.RecoverHeld(a.nvs.before.nvs, a.nvs.rescued, a.nvs.before.keys)
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		a.note(fmt.Sprintf("%d keys are restored to NVS that it lost when the rework was cut off.", lost))
	}
	return held, nil
}

// dropHeld forgets what was kept of a unit that has passed.
func (a *attempt) dropHeld() {
	if a.record.Outcome != jobs.Pass {
		return
	}
	if err := a.rescue.drop(a.record.Unit); err != nil {
		a.log.Warn("what a unit's NVS held before its rework is still there", "folder", a.rescue.dir, "unit", a.record.Unit, "err", err)
	}
}
