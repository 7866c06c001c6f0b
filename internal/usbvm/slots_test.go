//go:build usbvm

package usbvm_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
)

// Slots are learned from boards that turn up on the USB. One of them has an
// empty flash, and leaves the USB each time that it starts over.
func TestSlotsAreLearned(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	file := filepath.Join(t.TempDir(), "flashd.yaml")
	const before = "station: vm # in which there is no jig\n\n# seen from the front\nslots:\n  250-1.1: gone\n# the end\n"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	learn := exec.CommandContext(ctx, "/bin/flashd", "slots", "learn", "--config", file, "--names", "left,middle,right")
	heard, err := learn.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := learn.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(heard)
	await := func(want string) {
		t.Helper()
		for said.Scan() {
			t.Log(said.Text())
			if strings.HasPrefix(said.Text(), want) {
				return
			}
		}
		t.Fatalf("it never says %q: %v", want, said.Err())
	}
	var paths []any
	for i, slot := range []struct {
		name    string
		adapter usbip.Adapter
	}{{"left", usbip.USBSerialJTAG}, {"middle", usbip.CP2102}, {"right", usbip.CH340}} {
		await("Put a board into slot " + slot.name)
		port := 102 + i
		plug(t, newUnit(t, 80+i, slot.adapter), port)
		await(fmt.Sprintf("Slot %s is %s", slot.name, path(t, port)))
		paths = append(paths, path(t, port))
	}
	await(file + " has its slots now: 3.")
	if err := learn.Wait(); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("station: vm # in which there is no jig\n\n# seen from the front\nslots:\n  %s: left\n  %s: middle\n  %s: right\n# the end\n", paths...)
	if string(after) != want {
		t.Errorf("flashd.yaml is now\n%swant\n%s", after, want)
	}
	for _, verb := range []string{"slots", "ports"} {
		out, err := exec.CommandContext(ctx, "/bin/flashd", verb, "--config", file).CombinedOutput()
		t.Logf("flashd %s:\n%s", verb, out)
		if err != nil || !strings.Contains(string(out), "middle") || !strings.Contains(string(out), "10C4:EA60") {
			t.Errorf("flashd %s: %v", verb, err)
		}
	}
}
