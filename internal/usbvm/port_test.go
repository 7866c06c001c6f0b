//go:build usbvm

package usbvm_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/serialport"
)

// oddRate is in no list of termios, and one that a CP2102 makes.
const oddRate = 250_000

// What is set on a real tty while it is open: nobody else gets it, closing it
// moves no line, and it goes at a rate that no list has.
func TestPortIsOpenedAlone(t *testing.T) {
	events := watch(t)
	plug(t, newUnit(t, 30, usbip.CP2102), 0)
	tty := next(t, events).Device.TTY
	port, err := serialport.Open(t.Context(), tty)
	if err != nil {
		t.Fatal(err)
	}
	if err := port.SetBaud(oddRate); err != nil {
		t.Error(err)
	}
	other, err := os.OpenFile(tty, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0) // root may
	if err != nil {
		t.Fatal(err)
	}
	fd := int(other.Fd())
	if alone, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err != nil || alone != 1 {
		t.Errorf("TIOCGEXCL: %d, %v", alone, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("flock: %v", err)
	}
	if set, err := unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil || set.Cflag&unix.HUPCL != 0 || set.Ospeed != oddRate {
		t.Errorf("settings: %+v, %v", set, err)
	}
	if _, err := serialport.Open(t.Context(), tty); !errors.Is(err, serialport.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
	holder := exec.CommandContext(t.Context(), "/bin/udevadm", "monitor")
	holder.ExtraFiles = []*os.File{other}
	out, err := holder.StdoutPipe()
	if err := errors.Join(err, holder.Start(), other.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Wait() })              // it is killed
	if _, err := out.Read(make([]byte, 1)); err != nil { // before it says something it may not have its name yet
		t.Fatal(err)
	}
	_, err = serialport.Open(t.Context(), tty)
	if want := fmt.Sprintf("in use by udevadm (process %d)", holder.Process.Pid); !errors.Is(err, serialport.ErrBusy) || !strings.Contains(err.Error(), want) {
		t.Errorf("held by another: %v, want %q", err, want)
	}
}
