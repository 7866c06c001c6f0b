//go:build usbvm

package usbvm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/hotplug"
)

// flashdID is the daemon's user and group: see /etc/passwd and /etc/group in
// testdata.
const flashdID = 990

// The daemon works as a user without root, by what deploy/60-flashd.rules
// gives it, and may reset a port.
func TestDaemonWithoutRoot(t *testing.T) {
	if _, err := release(); err != nil {
		t.Fatal(err)
	}
	startUdev(t)
	config := writeConfig(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	daemon := exec.CommandContext(ctx, "/bin/flashd", "serve", "--config", config, "--units", "2", "--log-format", "text")
	daemon.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: flashdID, Gid: flashdID}}
	var out bytes.Buffer
	daemon.Stdout, daemon.Stderr = &out, &out
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	fine, wedged := newUnit(t, 60, usbip.USBSerialJTAG), newUnit(t, 61, usbip.CP2102)
	plug(t, fine, 100)
	plug(t, wedged, 101)
	wedged.Wedge()
	if err := daemon.Wait(); err != nil {
		t.Errorf("flashd: %v", err)
	}
	ignoredByModemManager(t)
	f := &fixture{T: t, log: &lockedBuffer{}}
	f.provisioned(fine, unitOf(60))
	f.provisioned(wedged, unitOf(61))
	if log := out.String(); !strings.Contains(log, "resetting its USB port") || strings.Contains(log, "cannot be reset") {
		t.Error("the wedged port was not reset")
	}
	if t.Failed() {
		t.Log(out.String())
		t.Log(kernelLog())
	}
}

// ignoredByModemManager checks the marks of what is plugged in.
func ignoredByModemManager(t *testing.T) {
	t.Helper()
	devices, err := (&hotplug.Sysfs{}).List(t.Context())
	if err != nil || len(devices) == 0 {
		t.Fatalf("boards: %v, %v", devices, err)
	}
	for _, d := range devices {
		for node, mark := range map[string]string{
			d.TTY: "ID_MM_PORT_IGNORE=1",
			fmt.Sprintf("/dev/bus/usb/%03d/%03d", d.Bus, d.Address): "ID_MM_DEVICE_IGNORE=1",
		} {
			out, err := exec.CommandContext(t.Context(), "/bin/udevadm", "info", "--query=property", "--name="+node).CombinedOutput()
			if err != nil || !strings.Contains(string(out), mark) {
				t.Errorf("%s has no %s: %v\n%s", node, mark, err, out)
			}
		}
	}
}

// startUdev runs Debian's udevd with its default rules and ours.
func startUdev(t *testing.T) {
	t.Helper()
	udev := exec.Command("/bin/udevadm")
	udev.Args = []string{"systemd-udevd"}
	var out bytes.Buffer
	udev.Stdout, udev.Stderr = &out, &out
	if err := udev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = udev.Process.Signal(syscall.SIGTERM)
		_ = udev.Wait()
		if t.Failed() {
			t.Logf("udevd: %s", out.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat("/run/udev/control"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("udevd does not start: %s", out.String())
		}
	}
}

func writeConfig(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "flashd")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`state_dir: state
images_dir: %s
release: small
listen: 127.0.0.1:0
credentials:
  source: derive
  derive:
    salt_file: salt
`, images)
	for name, text := range map[string]string{"flashd.yaml": config, "salt": salt} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chown(file, flashdID, flashdID)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, flashdID, flashdID); err != nil {
		t.Fatal(err)
	}
	for _, readable := range []string{images, images + "/small"} {
		if err := os.Chmod(readable, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "flashd.yaml")
}
