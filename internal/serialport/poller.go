package serialport

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

// openBytes opens the descriptor that moves the bytes, and takes it out of the
// runtime's poller, into which package serial's way of opening puts it.
//
// A tty does not belong there. When epoll looks at one, the kernel waits until
// its input has been processed, and for that until a change of its settings is
// over: 5 s where a cp210x is unplugged in the middle of one. Meanwhile the
// poller's thread stands still, and with it all other ports, the board and the
// next garbage collection.
func openBytes(control syscall.RawConn, path string) (*serial.Port, error) {
	before := descriptorsOf(path)
	port, err := serial.OpenPort(&serial.Config{Name: path, Baud: startBaud, ReadTimeout: readSlice})
	if err != nil {
		return nil, err
	}
	opened := slices.DeleteFunc(descriptorsOf(path), func(fd int) bool { return slices.Contains(before, fd) })
	if len(opened) != 1 {
		return port, nil // no /proc, or somebody else is trying to open it: then it stays there
	}
	// What the number stood for is closed with that, and leaves the poller; the
	// number now stands for the control descriptor, which is not in it.
	err = onFD(control, func(fd int) error { return unix.Dup3(fd, opened[0], unix.O_CLOEXEC) })
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return port, nil
}

// descriptorsOf returns this process's descriptors of the device at path.
func descriptorsOf(path string) []int {
	var device, st unix.Stat_t
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil || unix.Stat(path, &device) != nil {
		return nil
	}
	var found []int
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err == nil && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == device.Rdev {
			found = append(found, fd)
		}
	}
	return found
}
