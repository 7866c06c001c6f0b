package station

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
)

// replacePrivate writes a file that only its owner can read. It is on disk when
// this returns, and no crash leaves half of it under its name.
func replacePrivate(root *os.Root, name string, data []byte) error {
	err := writePrivate(root, name+".new", data)
	if err == nil {
		err = root.Rename(name+".new", name)
	}
	if err == nil {
		err = syncFolder(root)
	}
	if err != nil {
		_ = root.Remove(name + ".new") // it is of no use; the next attempt removes it, too
	}
	return err
}

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
