package serialport

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// alarm wakes a thread that waits in the kernel.
type alarm struct{ event *os.File }

func newAlarm() (*alarm, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &alarm{os.NewFile(uintptr(fd), "alarm")}, nil
}

// ring wakes who waits, and who will.
func (a *alarm) ring() error {
	_, err := a.event.Write(binary.NativeEndian.AppendUint64(nil, 1))
	return err
}

func (a *alarm) close() error { return a.event.Close() }

// orReadable waits until a read of fd would return at once, since bytes wait or
// the tty was hung up, or until the alarm rings.
func (a *alarm) orReadable(fd int) error {
	raw, err := a.event.SyscallConn()
	if err != nil {
		return err
	}
	return onFD(raw, func(event int) error {
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(event), Events: unix.POLLIN}}, -1)
			if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
}
