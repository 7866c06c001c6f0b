package hotplug_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// fakeSysfs builds a tree like the kernel's: devices in a hierarchy of their
// own, symbolic links to them in bus/usb/devices.
type fakeSysfs struct {
	t    *testing.T
	root string
}

func newSysfs(t *testing.T) fakeSysfs {
	f := fakeSysfs{t, t.TempDir()}
	f.mkdir("bus/usb/devices")
	f.plug("usb1", map[string]string{"idVendor": "1d6b", "idProduct": "0002", "busnum": "1", "devnum": "1", "product": "xHCI Host Controller", "serial": "0000:00:14.0"})
	return f
}

func (f fakeSysfs) mkdir(dir string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Join(f.root, dir), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

// where returns the directory of a device or interface below devices/.
func where(name string) string {
	const controller = "devices/pci0000:00/0000:00:14.0/usb1"
	if name == "usb1" {
		return controller
	}
	device, iface, isIface := strings.Cut(name, ":")
	dir := controller
	for i, c := range device {
		if c == '.' {
			dir = filepath.Join(dir, device[:i])
		}
	}
	dir = filepath.Join(dir, device)
	if isIface {
		dir = filepath.Join(dir, device+":"+iface)
	}
	return dir
}

// plug adds a device with its attributes.
func (f fakeSysfs) plug(name string, attributes map[string]string) {
	f.t.Helper()
	f.mkdir(where(name))
	for a, v := range attributes {
		f.set(name, a, v)
	}
	link := filepath.Join(f.root, "bus/usb/devices", name)
	if err := os.Symlink(filepath.Join("../../..", where(name)), link); err != nil {
		f.t.Fatal(err)
	}
}

// set gives a device an attribute.
func (f fakeSysfs) set(name, attribute, value string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.root, where(name), attribute), []byte(value+"\n"), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// bind adds an interface and what its driver made of it: "tty/ttyACM0" by
// cdc-acm, "ttyUSB0/tty/ttyUSB0" by the usb-serial drivers.
func (f fakeSysfs) bind(iface, tty string) {
	f.t.Helper()
	f.plug(iface, map[string]string{"bInterfaceClass": "02"})
	f.mkdir(filepath.Join(where(iface), tty))
}

func espressif(bus, address int, mac string) map[string]string {
	return map[string]string{
		"idVendor": "303a", "idProduct": "1001", "busnum": fmt.Sprint(bus), "devnum": fmt.Sprint(address),
		"serial": mac, "product": "USB JTAG/serial debug unit",
	}
}

func TestSysfsList(t *testing.T) {
	f := newSysfs(t)
	f.plug("1-1", map[string]string{"idVendor": "0424", "idProduct": "2514", "busnum": "1", "devnum": "2"}) // a hub
	f.plug("1-1.2", espressif(1, 7, "A1:B2:C3:D4:E5:F6"))
	f.bind("1-1.2:1.0", "tty/ttyACM0")
	f.plug("1-1.2:1.1", nil)
	f.plug("1-1.10", map[string]string{"idVendor": "10c4", "idProduct": "ea60", "busnum": "1", "devnum": "12", "serial": "0001", "product": "CP2102 USB to UART Bridge Controller"})
	f.bind("1-1.10:1.0", "ttyUSB3/tty/ttyUSB3")
	f.plug("1-3", map[string]string{"idVendor": "1a86", "idProduct": "7523", "busnum": "1", "devnum": "120", "product": "USB Serial"}) // no serial, no driver
	f.plug("1-3:1.0", nil)
	f.plug("1-4", map[string]string{"idVendor": "0403", "idProduct": "6010", "busnum": "1", "devnum": "13", "serial": "FT1"})
	f.bind("1-4:1.0", "ttyUSB4/tty/ttyUSB4")                                                                 // JTAG
	f.bind("1-4:1.1", "ttyUSB5/tty/ttyUSB5")                                                                 // the chip's UART
	f.plug("1-5", map[string]string{"idVendor": "046d", "idProduct": "c31c", "busnum": "1", "devnum": "14"}) // a keyboard
	f.plug("1-6", map[string]string{"idVendor": "303a"})                                                     // being unplugged

	want := []hotplug.Device{
		{Path: "1-1.2", VID: 0x303A, PID: 0x1001, Serial: "A1:B2:C3:D4:E5:F6", Product: "USB JTAG/serial debug unit", TTY: "/dev/ttyACM0", Bus: 1, Address: 7},
		{Path: "1-1.10", VID: 0x10C4, PID: 0xEA60, Serial: "0001", Product: "CP2102 USB to UART Bridge Controller", TTY: "/dev/ttyUSB3", Bus: 1, Address: 12},
		{Path: "1-3", VID: 0x1A86, PID: 0x7523, Product: "USB Serial", Bus: 1, Address: 120},
		{Path: "1-4", VID: 0x0403, PID: 0x6010, Serial: "FT1", TTY: "/dev/ttyUSB5", Bus: 1, Address: 13},
	}
	if diff := cmp.Diff(want, list(t, &hotplug.Sysfs{Root: f.root, Patient: true})); diff != "" {
		t.Error(diff)
	}
}

func TestSysfsAccepts(t *testing.T) {
	f := newSysfs(t)
	f.plug("1-1", espressif(1, 3, "A1:B2:C3:D4:E5:F6"))
	f.plug("1-2", map[string]string{"idVendor": "067b", "idProduct": "2303", "busnum": "1", "devnum": "4"})
	f.bind("1-2:1.0", "ttyUSB0/tty/ttyUSB0")
	s := &hotplug.Sysfs{Root: f.root, Dev: "/somewhere/dev"}
	if got := list(t, s); len(got) != 1 {
		t.Errorf("by default: %v", got)
	}
	s.Accept = hotplug.KnownOr(hotplug.ID{VID: 0x067B, PID: 0x2303})
	got := list(t, s)
	if len(got) != 2 || got[1].TTY != "/somewhere/dev/ttyUSB0" {
		t.Errorf("with one more: %v", got)
	}
}

// A device that hangs keeps whoever asks for its strings waiting, so they are
// asked for once, and not before a driver is done with it.
func TestSysfsReadsStringsOnce(t *testing.T) {
	f := newSysfs(t)
	f.plug("1-1", espressif(1, 3, "A1:B2:C3:D4:E5:F6"))
	s := &hotplug.Sysfs{Root: f.root}
	serials := func(want string) {
		t.Helper()
		if got := list(t, s); len(got) != 1 || got[0].Serial != want {
			t.Errorf("got %v, want the serial number %q", got, want)
		}
	}
	serials("") // no tty yet
	f.bind("1-1:1.0", "tty/ttyACM0")
	serials("A1:B2:C3:D4:E5:F6")
	f.set("1-1", "serial", "a read that would have to wait")
	serials("A1:B2:C3:D4:E5:F6")
	f.set("1-1", "serial", "11:22:33:44:55:66")
	f.set("1-1", "devnum", "4")
	serials("11:22:33:44:55:66")
}

func TestSysfsConfirms(t *testing.T) {
	f := newSysfs(t)
	f.plug("1-1", espressif(1, 3, "A1:B2:C3:D4:E5:F6"))
	f.bind("1-1:1.0", "tty/ttyACM0")
	s := &hotplug.Sysfs{Root: f.root}
	d := list(t, s)[0]
	if err := s.Confirm(d); err != nil {
		t.Error(err)
	}
	d.TTY = "/dev/ttyACM1"
	if s.Confirm(d) == nil {
		t.Error("a tty of another board was confirmed")
	}
	d.TTY = "/dev/ttyACM0"
	f.set("1-1", "devnum", "4")
	if s.Confirm(d) == nil {
		t.Error("a board that was changed for another was confirmed")
	}
	d.Path = "1-2"
	if s.Confirm(d) == nil {
		t.Error("a board that is not there was confirmed")
	}
}

func TestSysfsWithoutUSB(t *testing.T) {
	_, err := (&hotplug.Sysfs{Root: t.TempDir()}).List(t.Context())
	if !errors.Is(err, hotplug.ErrNoUSB) {
		t.Errorf("got %v, want ErrNoUSB", err)
	}
}

func list(t *testing.T, l hotplug.Lister) []hotplug.Device {
	t.Helper()
	devices, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(devices, func(a, b hotplug.Device) int { return hotplug.ComparePaths(a.Path, b.Path) })
	return devices
}
