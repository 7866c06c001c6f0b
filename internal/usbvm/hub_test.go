//go:build usbvm

package usbvm_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/serialport"
	"hoptech.co.nz/flashd/internal/usbvm"
)

// A hub with hubs and bridges behind it comes and goes as a whole. It is QEMU's,
// and so code that knows nothing of ours.
func TestHub(t *testing.T) {
	events := watch(t)
	if err := usbvm.LoadSpares(); err != nil {
		t.Fatal(err)
	}
	came := nextAll(t, events, hotplug.Attach, 3)
	root, _, _ := strings.Cut(came[0].Path, "-")
	if got, want := paths(came), []string{root + "-1.1", root + "-1.2", root + "-1.3.4"}; !slices.Equal(got, want) {
		t.Fatalf("boards in %q, want %q", got, want)
	}
	port, err := serialport.Open(t.Context(), came[2].TTY)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	out, err := exec.CommandContext(t.Context(), "/bin/flashd", "ports").CombinedOutput()
	t.Logf("flashd ports: %v\n%s", err, out)
	for _, want := range []string{"\n" + root + "-1 ", "\n  " + root + "-1.1 ", "\n  " + root + "-1.3 ", "\n    " + root + "-1.3.4 ", came[2].TTY + "  init (process 1)"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not show %q", want)
		}
	}
	timer, err := os.ReadFile(filepath.Join("/sys/bus/usb-serial/devices", filepath.Base(came[2].TTY), "latency_timer"))
	if got := strings.TrimSpace(string(timer)); err != nil || got != "1" {
		t.Errorf("the bridge waits %s ms for more bytes, want 1: %v", got, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- untilError(port.Read, make([]byte, 16)) }()

	disable := "/sys/bus/usb/devices/" + root + "-0:1.0/usb" + root + "-port1/disable"
	write(t, disable, "1")
	pulled := time.Now()
	if err, ok := await(t, "end of Read", ended); ok && !errors.Is(err, flasher.Detached) || time.Since(pulled) > detachLimit {
		t.Errorf("Read ended after %v: %v", time.Since(pulled), err)
	}
	if gone := nextAll(t, events, hotplug.Detach, 3); !slices.Equal(gone, came) {
		t.Errorf("gone are %+v, want %+v", gone, came)
	}
	write(t, disable, "0")
	if back := nextAll(t, events, hotplug.Attach, 3); !slices.Equal(paths(back), paths(came)) {
		t.Errorf("back are %q, want %q", paths(back), paths(came))
	}
	// The controller goes, too, so that it is in nobody's way.
	controllers, err := filepath.Glob("/sys/bus/pci/drivers/xhci_hcd/0000:*")
	if err != nil || len(controllers) != 1 {
		t.Fatalf("controllers %q, %v", controllers, err)
	}
	write(t, "/sys/bus/pci/drivers/xhci_hcd/unbind", filepath.Base(controllers[0]))
	nextAll(t, events, hotplug.Detach, 3)
}

// nextAll receives n events of a kind, and returns what they are about.
func nextAll(t *testing.T, events <-chan hotplug.Event, kind hotplug.EventKind, n int) []hotplug.Device {
	t.Helper()
	var devices []hotplug.Device
	for range n {
		e := next(t, events)
		if e.Kind != kind {
			t.Fatalf("got %+v, want %v", e, kind)
		}
		devices = append(devices, e.Device)
	}
	slices.SortFunc(devices, func(a, b hotplug.Device) int { return hotplug.ComparePaths(a.Path, b.Path) })
	return devices
}

func paths(devices []hotplug.Device) []string {
	var all []string
	for _, d := range devices {
		all = append(all, d.Path)
	}
	return all
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}
