package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
)

// fixture is a listing that is always the same.
type fixture struct {
	devices []hotplug.Device
	err     error
}

func (f fixture) List(context.Context) ([]hotplug.Device, error) { return f.devices, f.err }

func TestPortsShowsBoardsAndWhatMayBeOne(t *testing.T) {
	chip, ours, err := pty.Open() // a tty that this process holds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = chip.Close(), ours.Close() })
	devices := []hotplug.Device{
		{Path: "1-1.10", VID: 0x10C4, PID: 0xEA60, Serial: "0001", Product: "CP2102", TTY: "/dev/none"},
		{Path: "1-1.2", VID: 0x303A, PID: 0x1001, Serial: "A1:B2:C3:D4:E5:F6", Product: "USB JTAG/serial debug unit", TTY: ours.Name()},
		{Path: "1-1.3", VID: 0x1A86, PID: 0x7523},
		{Path: "1-1", VID: 0x0424, PID: 0x2514, Product: "a hub"},
		{Path: "1-4", VID: 0x067B, PID: 0x2303, TTY: ours.Name()},
		{Path: "1-5", VID: 0x303A, PID: 0x1001, TTY: ours.Name()},
	}
	cfg := config.Default()
	cfg.Slots = config.Slots{{Path: "1-1.2", Name: "left"}, {Path: "1-1.3", Name: "right"}, {Path: "1-1.10", Name: "far"}}
	var out strings.Builder
	if err := showPorts(t.Context(), &out, fixture{devices: devices}, cfg, "json"); err != nil {
		t.Fatal(err)
	}
	var got []port
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	self := selfName(t)
	want := []port{
		{Path: "1-1.2", Hub: "1-1", Slot: "left", ID: "303A:1001", Serial: "A1:B2:C3:D4:E5:F6", Product: "USB JTAG/serial debug unit", TTY: ours.Name(), Holder: self},
		{Path: "1-1.3", Hub: "1-1", Slot: "right", ID: "1A86:7523", Note: "no driver has made a tty; is cdc_acm, cp210x, ch341 or ftdi_sio there?"},
		{Path: "1-1.10", Hub: "1-1", Slot: "far", ID: "10C4:EA60", Serial: "0001", Product: "CP2102", TTY: "/dev/none", Note: "its tty is not in /dev; in a container, pass it through"},
		{Path: "1-4", Hub: "usb1", ID: "067B:2303", TTY: ours.Name(), Holder: self, Note: "not known as a board; add 067b:2303 to usb.accept if it is one"},
		{Path: "1-5", Hub: "usb1", ID: "303A:1001", TTY: ours.Name(), Holder: self, Note: "not a slot"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// selfName is this process as the kernel calls it.
func selfName(t *testing.T) string {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(comm)), os.Getpid())
}

func TestPortsTable(t *testing.T) {
	devices := []hotplug.Device{
		{Path: "1-3", VID: 0x1A86, PID: 0x7523, Product: "USB Serial"},
		{Path: "1-1.10.2", VID: 0x303A, PID: 0x1001, TTY: "/dev/none"},
		{Path: "1-1.10", VID: 0x0424, PID: 0x2514},
		{Path: "1-1", VID: 0x0424, PID: 0x2514, Product: "USB 2.0 Hub"},
		{Path: "1-1.2", VID: 0x303A, PID: 0x1001, TTY: "/dev/none"},
		{Path: "1-4", VID: 0x0424, PID: 0x2514, Product: "a hub with nothing behind it"},
	}
	var out strings.Builder
	if err := showPorts(t.Context(), &out, fixture{devices: devices}, config.Default(), "table"); err != nil {
		t.Fatal(err)
	}
	const want = `PATH          SLOT      ID         SERIAL  PRODUCT      TTY        HOLDER  NOTE
1-1           -         0424:2514  -       USB 2.0 Hub  -          -       hub
  1-1.2       1-1.2     303A:1001  -       -            /dev/none  -       its tty is not in /dev; in a container, pass it through
  1-1.10      -         0424:2514  -       -            -          -       hub
    1-1.10.2  1-1.10.2  303A:1001  -       -            /dev/none  -       its tty is not in /dev; in a container, pass it through
1-3           1-3       1A86:7523  -       USB Serial   -          -       no driver has made a tty; is cdc_acm, cp210x, ch341 or ftdi_sio there?
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPortsSaysWhyThereIsNone(t *testing.T) {
	tests := []struct {
		name string
		from fixture
		want string
	}{
		{"no USB", fixture{err: hotplug.ErrNoUSB}, "this machine has no USB"},
		{"nothing", fixture{}, "nothing is plugged in"},
		{"others", fixture{devices: []hotplug.Device{{Path: "1-1", VID: 0x0424, PID: 0x2514}}}, "USB devices are plugged in (1), but none is a board"},
	}
	for _, tt := range tests {
		var table, list strings.Builder
		if err := showPorts(t.Context(), &table, tt.from, config.Default(), "table"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := table.String(); !strings.HasPrefix(got, "no serial devices found: "+tt.want) {
			t.Errorf("%s: %s", tt.name, got)
		}
		if err := showPorts(t.Context(), &list, tt.from, config.Default(), "json"); err != nil || list.String() != "[]\n" {
			t.Errorf("%s as JSON: %q, %v", tt.name, &list, err)
		}
	}
	if err := showPorts(t.Context(), &strings.Builder{}, fixture{err: errors.New("broken")}, config.Default(), "table"); err == nil {
		t.Error("a listing that failed is no error")
	}
}
