package serialport

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock takes the advisory lock that serial tools honour, and refuses a port
// that a process without manners (ModemManager, a terminal) has open: it would
// eat the chip's answers.
func lock(raw syscall.RawConn, path string) error {
	err := onFD(raw, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return busy(path)
	case err != nil:
		return fmt.Errorf("lock %s: %w", path, err)
	case isPseudo(path):
		return nil // whoever made a pseudo-terminal may keep its end open
	}
	if others := slices.DeleteFunc(Holders(path), Process.isSelf); len(others) > 0 {
		return busyWith(path, others)
	}
	return nil
}

// exclude makes the kernel refuse later opens by others. It is not done to a
// pseudo-terminal, where the mark would outlive us while its maker has it open.
func exclude(raw syscall.RawConn, path string) error {
	if isPseudo(path) {
		return nil
	}
	err := onFD(raw, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0) })
	if err != nil {
		return fmt.Errorf("make %s exclusive: %w", path, err)
	}
	return nil
}

func isPseudo(path string) bool { return strings.HasPrefix(realPath(path), "/dev/pts/") }

// busy says who holds the port at path. This process's own descriptors are no
// sign: the one that met the lock is among them.
func busy(path string) error {
	others := slices.DeleteFunc(Holders(path), Process.isSelf)
	if len(others) == 0 && lockOwner(path) == os.Getpid() {
		return fmt.Errorf("%s: %w by this process already", path, ErrBusy)
	}
	return busyWith(path, others)
}

func busyWith(path string, others []Process) error {
	if len(others) == 0 {
		return fmt.Errorf("%s: %w by a process of another user", path, ErrBusy)
	}
	return fmt.Errorf("%s: %w by %v; stop it, or make it leave this port alone", path, ErrBusy, others[0])
}

func (p Process) isSelf() bool { return p.PID == os.Getpid() }
