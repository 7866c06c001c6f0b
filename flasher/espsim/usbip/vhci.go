package usbip

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A controller of vhci_hcd has a root hub for USB 2 and one for USB 3, with 15
// ports each in Debian's kernels (CONFIG_USBIP_VHCI_HC_PORTS). Ports are
// numbered through all controllers; the boards are full-speed devices, which
// belong to the USB 2 halves.
const (
	controllerPorts = 30
	hubPorts        = controllerPorts / 2
	fullSpeed       = 2 // enum usb_device_speed
	platform        = "/sys/devices/platform"
)

// Path returns the topology path of a port, from 0: "1-1".
func Path(port int) (string, error) {
	pattern := filepath.Join(platform, fmt.Sprintf("vhci_hcd.%d", port/hubPorts), "usb*")
	hubs, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	for _, hub := range hubs {
		speed, err := os.ReadFile(filepath.Join(hub, "speed"))
		if err == nil && strings.TrimSpace(string(speed)) == "480" {
			return strings.TrimPrefix(filepath.Base(hub), "usb") + "-" + strconv.Itoa(port%hubPorts+1), nil
		}
	}
	return "", fmt.Errorf("usbip: no port %d", port)
}

// attachLimit is how long the kernel may take to clear a port after an unplug:
// as long as drivers wait for an answer that does not come, 5 s each.
const attachLimit = 30 * time.Second

// socket is the device's end of a plugging. Its reads block a thread of their
// own: the kernel waits for our answers with locks held that the runtime's
// poller needs when a tty of such a device is in it, and so the poller must
// not be needed to answer.
type socket struct{ *os.File }

// Close ends a Read under way, too.
func (s socket) Close() error { return errors.Join(s.shutdown(syscall.SHUT_RDWR), s.File.Close()) }

// CloseRead takes no more from the kernel. What it has sent can still be read,
// and then reads end.
func (s socket) CloseRead() error { return s.shutdown(syscall.SHUT_RD) }

func (s socket) shutdown(how int) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), how) }) // the kernel may have hung up first
}

// attach hands the kernel one end of a socket pair and returns the other.
func attach(port int) (_ io.ReadWriteCloser, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// The kernel takes a reference of its own.
	defer func() { err = errors.Join(err, syscall.Close(pair[0])) }()
	end := socket{os.NewFile(uintptr(pair[1]), "usbip")}
	for deadline := time.Now().Add(attachLimit); ; time.Sleep(5 * time.Millisecond) {
		err = attachTo(port, pair[0])
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("usbip: plug into port %d: %w", port, err), end.Close())
	}
	return end, nil
}

// attachTo gives the kernel the device behind a socket. A port whose last
// device the kernel still knows is busy: vhci_hcd would let one device take the
// place of the other without the kernel noticing, which no hand is fast enough
// for.
func attachTo(port, socket int) error {
	path, err := Path(port)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join("/sys/bus/usb/devices", path)); err == nil {
		return syscall.EBUSY
	}
	number := port/hubPorts*controllerPorts + port%hubPorts
	line := fmt.Sprintf("%d %d %d %d", number, socket, 1<<16|(port+1), fullSpeed)
	return os.WriteFile(filepath.Join(platform, "vhci_hcd.0", "attach"), []byte(line), 0)
}
