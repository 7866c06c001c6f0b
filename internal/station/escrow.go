package station

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// escrow is the folder that keeps a copy of the NVS keys of each unit, for
// whoever has to read a unit's flash one day.
type escrow struct {
	*keeper
	dir string // "": none are kept
}

// openEscrow checks the folder. It is not made here: one that is missing may be
// misspelt, or on a disk that is not mounted.
func openEscrow(dir string) (escrow, error) {
	e := escrow{newKeyKeeper(), dir}
	if dir == "" {
		return e, nil
	}
	root, err := e.open()
	if err != nil {
		return e, err
	}
	return e, root.Close()
}

// open opens the folder, unless others than its owner may look into it.
func (e escrow) open() (*os.Root, error) {
	root, err := os.OpenRoot(e.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder for NVS keys %s is not there: install -d -m 700 %[1]s", e.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the folder for NVS keys: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("the folder for NVS keys %s is open to others than its owner (mode %04o): chmod 700 %[1]s", e.dir, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// newKeyKeeper looks after the folder.
func newKeyKeeper() *keeper {
	return &keeper{
		hinders: unescrowed, trouble: "the folder for NVS keys cannot be used",
		hint:   "Leave the board in its slot and call the engineer: it goes on by itself when its keys can be kept.",
		cure:   "Look at the folder that nvs.key_escrow_dir names: units go on by themselves then.",
		passes: func(error) bool { return true },
	}
}

// keepKeys makes sure that a copy of the unit's NVS keys is kept before it gets them. It
// takes the place of an earlier copy, so that the chip has to say once more that they
// are this unit's.
func (a *attempt) keepKeys(ctx context.Context, keys []byte) error {
	if keys == nil || a.escrow.dir == "" {
		return nil
	}
	if err := a.dev.ConfirmMAC(ctx); err != nil {
		return err
	}
	err := a.keep(ctx, a.escrow.keeper, func() error { return a.escrow.keep(a.dev.MAC().DeviceID(), keys) })
	if err != nil && !errors.Is(err, errStopped) {
		return &fault{kindEscrow, err}
	}
	return err
}

// keep writes the keys of a unit in place of those that it had before. They are
// on disk when it returns, and no crash leaves half a file under the unit's name.
func (e escrow) keep(unit string, keys []byte) error {
	root, err := e.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := replacePrivate(root, unit+".bin", keys); err != nil {
		return fmt.Errorf("the NVS keys of unit %s cannot be kept in %s: %w", unit, e.dir, err)
	}
	return nil
}
