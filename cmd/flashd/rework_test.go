package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// simulatedUnits runs a station of simulated units to its end and returns its
// directory and the IDs of the units, all of which have passed.
func simulatedUnits(t *testing.T, n string) (dir string, units []string) {
	t.Helper()
	images, _ := demoRelease(t)
	dir = t.TempDir()
	runFlashd(t, dir, exitDone, "serve", "--simulate", "2", "--instant", "--units", n, "--listen", "127.0.0.1:0", "--images", images)
	store := openStoreOf(t, filepath.Join(dir, "state"))
	defer store.Close()
	for u, err := range store.Units() {
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, u.ID)
	}
	return dir, units
}

func listedReworks(t *testing.T, dir string, args ...string) (list []jobs.Rework) {
	t.Helper()
	out, _ := runFlashd(t, dir, exitDone, append([]string{"rework", "list", "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReworkWithoutDaemon(t *testing.T) {
	dir, units := simulatedUnits(t, "2")
	before := time.Now()
	out, _ := runFlashd(t, dir, exitDone, "rework", units[0], "--reason", "customer return", "--by", "Eve",
		"--keep-all", "--new-credentials", "--set", "region=eu", "--set", "wifi:interval:u16=60", "--expires", "30m")
	if !strings.Contains(out, units[0]) || !strings.Contains(out, "when it is next put into a slot, until") {
		t.Errorf("it says %q", out)
	}
	armed := listedReworks(t, dir)
	if len(armed) != 1 {
		t.Fatalf("armed: %+v", armed)
	}
	want := jobs.Rework{
		ID: 1, Unit: units[0], Reason: "customer return", By: "Eve", KeepAll: true, NewCredentials: true,
		Set: map[string]string{"region": "eu", "wifi:interval:u16": "60"}, Allowed: armed[0].Allowed, Expires: armed[0].Expires,
	}
	if diff := cmp.Diff(want, armed[0]); diff != "" {
		t.Errorf("rework (-want +recorded):\n%s", diff)
	}
	if span := armed[0].Expires.Sub(before); span < 30*time.Minute || span > 35*time.Minute {
		t.Errorf("it is armed for %v", span)
	}
	table, _ := runFlashd(t, dir, exitDone, "rework", "list")
	for _, part := range []string{"armed", "Eve", "nvs keep-all new-credentials region=eu wifi:interval:u16=60", "customer return"} {
		if !strings.Contains(table, part) {
			t.Errorf("the list lacks %q:\n%s", part, table)
		}
	}

	out, _ = runFlashd(t, dir, exitDone, "rework", "cancel", "1", "--reason", "wrong board", "--by", "Bob")
	if !strings.Contains(out, "Rework 1 of unit "+units[0]+" is cancelled (by Bob)") {
		t.Errorf("it says %q", out)
	}
	if armed := listedReworks(t, dir); len(armed) > 0 {
		t.Errorf("armed after it was cancelled: %+v", armed)
	}
	if all := listedReworks(t, dir, "--all", "--unit", units[0]); len(all) != 1 || all[0].CancelReason != "wrong board" {
		t.Errorf("the record: %+v", all)
	}
	for _, refused := range []struct {
		code int
		says string
		args []string
	}{
		{exitRefused, "it is cancelled", []string{"cancel", "1", "--reason", "again"}},
		{exitNoUnit, "no such rework", []string{"cancel", "99", "--reason", "x"}},
		{exitUsage, "the number of one rework", []string{"cancel", "--reason", "x"}},
		{exitUsage, "add --reason", []string{"cancel", "1"}},
		{exitUsage, "say which unit", []string{"--reason", "x"}},
		{exitUsage, "say which unit", []string{units[0], "--scan", "--reason", "x"}},
		{exitUsage, "expires", []string{units[0], "--reason", "x", "--expires", "soon"}},
		{exitUsage, "want its device ID", []string{units[0], "A1B2", "--reason", "x"}},
		{exitUsage, "not both", []string{units[0], "--reason", "x", "--reflash", "--keep-all"}},
		{exitUsage, "called like a secret", []string{units[0], "--reason", "x", "--set", "mqtt_pass=hunter2"}},
		{exitUsage, "want KEY=VALUE", []string{units[0], "--reason", "x", "--set", "hunter2"}},
		{exitUsage, "set twice", []string{units[0], "--reason", "x", "--set", "a=1", "--set", "a=2"}},
		{exitNoDaemon, "not known", []string{"--slot", "1", "--reason", "x"}},
		{exitNoUnit, "no such unit", []string{"A1B2C3D4E5F6", "--reason", "x"}},
	} {
		_, stderr := runFlashd(t, dir, refused.code, append([]string{"rework"}, refused.args...)...)
		if !strings.Contains(stderr, refused.says) || strings.Contains(stderr, "hunter2") {
			t.Errorf("rework %q: %s", refused.args, stderr)
		}
	}
	if all := listedReworks(t, dir, "--all"); len(all) != 1 {
		t.Errorf("%d reworks are recorded, want 1", len(all))
	}
}

// Without a daemon the release that is configured says what can be set.
func TestReworkWithoutDaemonChecksSettings(t *testing.T) {
	dir, units := simulatedUnits(t, "1")
	images, _ := demoRelease(t)
	config := filepath.Join(t.TempDir(), "flashd.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "state_dir: %s\nimages_dir: %s\nrelease: demo\n", filepath.Join(dir, "state"), images), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr := runFlashd(t, dir, exitUsage, "rework", "--config", config, units[0], "--reason", "x", "--set", "mqtt_user=A1B2C3D4E5F6")
	if !strings.Contains(stderr, "come from their source only") {
		t.Errorf("it says %q", stderr)
	}
	if armed := listedReworks(t, dir, "--all"); len(armed) != 0 {
		t.Errorf("recorded: %+v", armed)
	}
}

// A barcode scanner types one label after the other.
func TestReworkScanned(t *testing.T) {
	dir, units := simulatedUnits(t, "2")
	cmd := flashdProcess(t, dir, "rework", "--scan", "--reason", "broker moved", "--by", "Eve")
	cmd.Stdin = strings.NewReader("Device ID: " + units[0] + "\r\n\nnonsense\n" + strings.ToLower(units[1]) + "\n")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != exitFailure {
		t.Errorf("it ended with %v", err)
	}
	for _, unit := range units {
		if !strings.Contains(out.String(), unit) {
			t.Errorf("unit %s is not named:\n%s", unit, &out)
		}
	}
	if !strings.Contains(errs.String(), `"nonsense"`) || !strings.Contains(errs.String(), "1 of the units") {
		t.Errorf("it complains with %q", &errs)
	}
	if armed := listedReworks(t, dir); len(armed) != 2 {
		t.Errorf("armed: %+v", armed)
	}
}

// The daemon holds the record, and does what it is told at once.
func TestReworkWithDaemon(t *testing.T) {
	dir, units := simulatedUnits(t, "2")
	images, _ := demoRelease(t)
	daemon := flashdProcess(t, dir, "serve", "--simulate", "1", "--listen", "127.0.0.1:0", "--images", images)
	var log bytes.Buffer
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Process.Signal(syscall.SIGTERM) // and do not wait for the unit under way
		if err := daemon.Wait(); err != nil {
			t.Errorf("flashd serve: %v\n%s", err, &log)
		}
	}()
	awaitDaemon(t, filepath.Join(dir, "state"))
	out, _ := runFlashd(t, dir, exitDone, "rework", units[0], units[1], "--reason", "broker moved", "--by", "Eve", "--reflash", "--expires", "never")
	if strings.Count(out, "everything is written again when it is next put into a slot (") != 2 {
		t.Errorf("it says %q", out)
	}
	if armed := listedReworks(t, dir); len(armed) != 2 || !armed[0].Reflash || !armed[0].Expires.IsZero() {
		t.Errorf("armed: %+v", armed)
	}
	runFlashd(t, dir, exitDone, "rework", "cancel", "2", "--reason", "not that one")
	if armed := listedReworks(t, dir); len(armed) != 1 || armed[0].Unit != units[0] {
		t.Errorf("armed: %+v", armed)
	}
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"--slot 9":                        {exitNoUnit, `no slot "9"`},
		"A1B2C3D4E5F6":                    {exitNoUnit, "no such unit"},
		units[1] + " --set provisioned=0": {exitUsage, "always set"},
	} {
		_, stderr := runFlashd(t, dir, want.code, append([]string{"rework", "--reason", "x"}, strings.Fields(args)...)...)
		if !strings.Contains(stderr, want.says) {
			t.Errorf("rework %s: %s", args, stderr)
		}
	}
	_, stderr := runFlashd(t, dir, exitRefused, "rework", "cancel", "2", "--reason", "again")
	if !strings.Contains(stderr, "it is cancelled") {
		t.Errorf("a second time: %s", stderr)
	}
}

// awaitDaemon waits until a daemon answers on a state directory.
func awaitDaemon(t *testing.T, stateDir string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		client, err := web.Dial(stateDir)
		if err != nil {
			continue
		}
		_, err = client.Status(t.Context())
		client.Close()
		if err == nil {
			return
		}
	}
	t.Fatal("flashd does not answer")
}
