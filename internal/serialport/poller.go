package serialport

import (
	"errors"
	"os"
	"reflect"
	"syscall"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

// openBytes opens the port that moves the bytes, and takes it out of the
// runtime's poller, into which package serial's way of opening puts it.
//
// A tty does not belong there. When epoll looks at one, the kernel waits until
// its input has been processed, and for that until a change of its settings is
// over: 5 s where a bridge does not answer any more. Meanwhile the poller's
// thread stands still, and with it all other ports, the board and the next
// garbage collection. So the line gets its settings before it comes into the
// poller, for package serial to find nothing to change.
func openBytes(control syscall.RawConn, path string) (_ *serial.Port, err error) {
	if err := onFD(control, setUp); err != nil {
		return nil, err
	}
	port, err := serial.OpenPort(&serial.Config{Name: path, Baud: startBaud, ReadTimeout: readSlice})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, port.Close())
		}
	}()
	raw, err := fileOf(port).SyscallConn()
	if err != nil {
		return nil, err
	}
	// What the number stood for is closed with that, and leaves the poller; the
	// number now stands for what the control descriptor does, which is not in it.
	return port, onFD(raw, func(fd int) error {
		return onFD(control, func(control int) error { return unix.Dup3(control, fd, unix.O_CLOEXEC) })
	})
}

// setUp makes the line what package serial makes it: raw, 8N1, startBaud.
func setUp(fd int) error {
	t := unix.Termios{Iflag: unix.IGNPAR, Cflag: unix.CREAD | unix.CLOCAL | unix.CS8 | unix.B115200}
	t.Cc[unix.VTIME] = uint8(readSlice / vtimeUnit)
	return unix.IoctlSetTermios(fd, unix.TCSETS, &t)
}

// fileOf returns the file that package serial hides.
func fileOf(port *serial.Port) *os.File {
	return (*os.File)(reflect.ValueOf(port).Elem().FieldByName("f").UnsafePointer())
}
