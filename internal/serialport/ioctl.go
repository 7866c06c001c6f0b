package serialport

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// onFD runs f with the file descriptor of raw, which stays open meanwhile.
func onFD(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// within runs f, which may hang in the kernel when a device misbehaves, and
// abandons it after limit. An abandoned f ends when the kernel lets it go, at
// the latest when the device is unplugged.
func within(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("no answer from the device within %v", limit)
	}
}

// poll waits up to limit for events on fd, hang-up always included, and
// returns those that hold.
func poll(fd int, events int16, limit time.Duration) int16 {
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	deadline := time.Now().Add(limit)
	for {
		_, err := unix.Poll(p, int(max(0, time.Until(deadline)).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return p[0].Revents
		}
	}
}

// setLines sets both lines in one ioctl: on a CH340 the gap between two resets
// the chip into its application. True means asserted, that is, pin low.
func setLines(fd int, dtr, rts bool) error {
	bits, err := unix.IoctlGetInt(fd, unix.TIOCMGET)
	if err != nil {
		return err
	}
	bits &^= unix.TIOCM_DTR | unix.TIOCM_RTS
	if dtr {
		bits |= unix.TIOCM_DTR
	}
	if rts {
		bits |= unix.TIOCM_RTS
	}
	return unix.IoctlSetPointerInt(fd, unix.TIOCMSET, bits)
}

// setBaud sets any rate. Termios knows only a list of rates; BOTHER and
// TCSETS2 take a number. It waits until what was written before is sent
// (TCSETSW2), so that no byte goes out at the wrong rate.
func setBaud(fd, baud int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	t.Cflag &^= unix.CBAUD | unix.CIBAUD // no input rate of its own
	t.Cflag |= unix.BOTHER
	t.Ispeed, t.Ospeed = uint32(baud), uint32(baud)
	if err := unix.IoctlSetTermios(fd, unix.TCSETSW2, t); err != nil {
		return err
	}
	// Drivers write the rate that they really made back into the settings.
	if t, err = unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		return err
	}
	if got := int(t.Ospeed); 100*max(got-baud, baud-got) > 3*baud {
		return fmt.Errorf("the adapter makes %d baud when asked for %d", got, baud)
	}
	return nil
}

// drain waits until the kernel has sent what was written: TCSBRK with an
// argument other than 0 is tcdrain(3).
func drain(fd int) error { return unix.IoctlSetInt(fd, unix.TCSBRK, 1) }

// dropOutput forgets what was written and not yet sent.
func dropOutput(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH) }

// serialStruct is struct serial_struct of linux/serial.h.
type serialStruct struct {
	_     int32 // type
	_     int32 // line
	_     uint32
	_     int32 // irq
	flags int32
	_     [3]int32 // xmit_fifo_size, custom_divisor, baud_base
	_     uint16   // close_delay
	_     [2]int8  // io_type, reserved
	_     int32    // hub6
	_     [2]uint16
	_     uintptr // iomem_base
	_     uint16  // iomem_reg_shift
	_     uint32  // port_high
	_     uintptr // iomap_base
}

// asyncLowLatency is ASYNC_LOW_LATENCY of linux/tty_flags.h, bit 13.
const asyncLowLatency = 1 << 13

// lowLatency asks the driver to hand over bytes at once. It turns the 16 ms
// that an FTDI chip waits for more into 1 ms. Most drivers know no such
// setting and refuse; they need none.
func lowLatency(raw syscall.RawConn) {
	_ = onFD(raw, func(fd int) error {
		var s serialStruct
		if err := ioctlSerial(fd, unix.TIOCGSERIAL, &s); err != nil {
			return err
		}
		if s.flags&asyncLowLatency != 0 {
			return nil
		}
		s.flags |= asyncLowLatency
		return ioctlSerial(fd, unix.TIOCSSERIAL, &s)
	})
}

func ioctlSerial(fd int, request uintptr, s *serialStruct) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(s))); errno != 0 {
		return errno
	}
	return nil
}
