package usbvm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where the host puts things for the machine.
const (
	argumentsFile = "/usbvm/arguments"
	modulesDir    = "/usbvm/modules/"
	modulesFile   = "/usbvm/modules/order"
	sparesFile    = "/usbvm/modules/spares"
)

// exitPort is the I/O port of QEMU's isa-debug-exit: a byte written there ends
// QEMU with twice the byte plus one.
const exitPort = 0x501

// noVerdict is what a machine ends with that could not run the tests.
const noVerdict = 99

// guest is the first process of the machine.
func guest(m interface{ Run() int }) {
	code := noVerdict
	defer func() { powerOff(code) }()
	if err := setUp(); err != nil {
		fmt.Println("usbvm: the machine does not start:", err)
		return
	}
	go beat()
	code = m.Run()
}

// heartbeat is the line by which the host knows that the machine is alive.
const heartbeat = "usbvm: alive"

func beat() {
	for {
		fmt.Println(heartbeat)
		time.Sleep(time.Second)
	}
}

func setUp() error {
	if err := mountAll(); err != nil {
		return err
	}
	if err := openConsole(); err != nil {
		return err
	}
	if err := errors.Join(os.Setenv("PATH", "/bin"), os.Setenv("HOME", "/tmp"), loopbackUp(), load(modulesFile)); err != nil {
		return err
	}
	arguments, err := os.ReadFile(argumentsFile)
	if err != nil {
		return err
	}
	if text := string(arguments); text != "" {
		os.Args = append(os.Args[:1], strings.Split(text, "\n")...)
	}
	return os.Chdir("/tmp")
}

func mountAll() error {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return os.Chmod("/tmp", 0o1777)
}

// openConsole gives init its standard descriptors: the kernel found no
// /dev/console before /dev was mounted.
func openConsole() error {
	fd, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	for target := range 3 {
		if fd != target {
			if err := unix.Dup3(fd, target, 0); err != nil {
				return fmt.Errorf("console: %w", err)
			}
		}
	}
	if fd > 2 {
		return unix.Close(fd)
	}
	return nil
}

// loopbackUp makes 127.0.0.1 work.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	lo, err := unix.NewIfreq("lo")
	if err == nil {
		lo.SetUint16(unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
	}
	return errors.Join(err, unix.Close(fd))
}

// LoadSpares loads the modules of Config.Spares. A test in the machine calls it.
func LoadSpares() error { return load(sparesFile) }

// load loads the modules that a file names, in its order.
func load(list string) error {
	order, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(order)) {
		f, err := os.Open(modulesDir + name + ".ko")
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		if err := errors.Join(err, f.Close()); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}

// powerOff ends the machine with a verdict.
func powerOff(code int) {
	if err := unix.IoctlSetInt(1, unix.TCSBRK, 1); err != nil { // wait until the console is written
		fmt.Println("usbvm:", err)
	}
	if ports, err := os.OpenFile("/dev/port", os.O_WRONLY, 0); err == nil {
		_, err = ports.WriteAt([]byte{byte(code)}, exitPort)
		fmt.Println("usbvm: the machine does not end:", err)
	}
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Println("usbvm: the machine does not end:", err)
}
