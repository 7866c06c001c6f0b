package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Safe returns nil if no other user can choose what the hooks of file do, which
// would be done in the name of this one: file and programs belong to root or to
// this user, and nobody else may write to them or to the folders they are in.
func (h *Hooks) Safe(file string) error {
	if !h.Any() {
		return nil
	}
	if err := ours(file); err != nil {
		return fmt.Errorf("hooks are not run: %w", err)
	}
	for _, c := range h.commands() {
		program := c[0]
		if err := ours(program); err != nil {
			return fmt.Errorf("hooks are not run: %w", err)
		}
		const execute = 1 // X_OK of access(2)
		if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() || syscall.Access(program, execute) != nil {
			return fmt.Errorf("hooks are not run: %s is no program that this user may run", program)
		}
	}
	return nil
}

// mostLinks is how many links a path may go through, as for the kernel.
const mostLinks = 40

// ours wants everything on the way to path in good hands: the folders, the
// links, and what they lead to.
func ours(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	here, ahead := "/", path
	for links := 0; ; {
		info, err := os.Lstat(here)
		if err != nil {
			return err
		}
		if err := inGoodHands(here, info); err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			if links++; links > mostLinks {
				return &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
			}
			target, err := os.Readlink(here)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(here), target)
			}
			here, ahead = "/", filepath.Join(target, ahead)
			continue
		}
		if ahead = strings.TrimLeft(ahead, "/"); ahead == "" {
			return nil
		}
		var next string
		next, ahead, _ = strings.Cut(ahead, "/")
		here = filepath.Join(here, next)
	}
}

// inGoodHands wants nobody but root and this user to be able to change what is
// at path. The mode of a link says nothing.
func inGoodHands(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("who owns %s is not known", path)
	}
	// In a folder such as /tmp nobody can move away what is another's.
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	link := info.Mode().Type() == fs.ModeSymlink
	switch {
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (%d), who could have anything run: chown root %s", path, st.Uid, path)
	case info.Mode().Perm()&0o022 != 0 && !sticky && !link:
		return fmt.Errorf("others may change %s (mode %04o), and could have anything run: chmod go-w %s", path, info.Mode().Perm(), path)
	}
	return nil
}
