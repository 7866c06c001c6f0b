package station

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// escrow is the folder that keeps a copy of the NVS keys of each unit, for
// whoever has to read a unit's flash one day; "" keeps none.
type escrow string

// openEscrow checks the folder. It is not made here: one that is missing may be
// misspelt, or on a disk that is not mounted.
func openEscrow(dir string) (escrow, error) {
	if dir == "" {
		return "", nil
	}
	root, err := escrow(dir).open()
	if err != nil {
		return "", err
	}
	return escrow(dir), root.Close()
}

// open opens the folder, unless others than its owner may look into it.
func (e escrow) open() (*os.Root, error) {
	root, err := os.OpenRoot(string(e))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder for NVS keys %s is not there: install -d -m 700 %[1]s", string(e))
	}
	if err != nil {
		return nil, fmt.Errorf("the folder for NVS keys: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("the folder for NVS keys %s is open to others than its owner (mode %04o): chmod 700 %[1]s", string(e), info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// keep writes the keys of a unit in place of those that it had before. They are
// on disk when it returns, and no crash leaves half a file under the unit's name.
func (e escrow) keep(unit string, keys []byte) error {
	if e == "" {
		return nil
	}
	root, err := e.open()
	if err != nil {
		return err
	}
	defer root.Close()
	name := unit + ".bin"
	err = writePrivate(root, name+".new", keys)
	if err == nil {
		err = root.Rename(name+".new", name)
	}
	if err == nil {
		err = syncFolder(root)
	}
	if err != nil {
		_ = root.Remove(name + ".new") // keys of nobody; the next attempt removes them, too
		return fmt.Errorf("the NVS keys of unit %s cannot be kept in %s: %w", unit, string(e), err)
	}
	return nil
}

// writePrivate writes a file that only its owner can read, to the disk.
func writePrivate(root *os.Root, name string, data []byte) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // left by a crash, perhaps with another mode
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return cmp.Or(err, f.Sync(), f.Close())
}

// syncFolder makes the names in the folder durable.
func syncFolder(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	return cmp.Or(f.Sync(), f.Close())
}
