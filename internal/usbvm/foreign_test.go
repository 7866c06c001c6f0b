//go:build usbvm

package usbvm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/hotplug"
)

// Somebody else's client (tinygo.org/x/espflasher) flashes a virtual board by
// its tty, as it would a real one: the board is not only what flashd takes it
// for.
func TestForeignClient(t *testing.T) {
	r, err := release()
	if err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct {
		adapter usbip.Adapter
		reset   string
	}{
		{usbip.USBSerialJTAG, "usb-jtag"},
		{usbip.CP2102, "default"},
		{usbip.CH340, "default"},
	} {
		t.Run(tc.adapter.String(), func(t *testing.T) {
			unit := newUnit(t, 90+i, tc.adapter)
			events := watch(t)
			plug(t, unit, 105+i)
			flashWith(t, next(t, events), r, "-reset", tc.reset)
			flash := unit.Chip().Flash().Bytes()
			for _, s := range r.Segments {
				if !bytes.Equal(flash[s.Offset:int(s.Offset)+len(s.Data)], s.Data) {
					t.Errorf("segment %s is not in the flash", s.Name)
				}
			}
			for deadline := time.Now().Add(10 * time.Second); !unit.Chip().BootedApp(); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the unit does not start what was written")
				}
			}
		})
	}
}

// flashWith writes a release with the foreign client, segment by segment.
func flashWith(t *testing.T, e hotplug.Event, r *firmware.Release, options ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	for _, s := range r.Segments {
		file := filepath.Join(t.TempDir(), s.Name)
		if err := os.WriteFile(file, s.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		client := exec.CommandContext(ctx, "/bin/espflasher", append(options, "-port", e.Device.TTY, "-offset", fmt.Sprintf("%#x", s.Offset), file)...)
		if out, err := client.CombinedOutput(); err != nil {
			t.Fatalf("espflasher: %v\n%s", err, bytes.ReplaceAll(out, []byte("\r"), []byte("\n")))
		}
	}
}
