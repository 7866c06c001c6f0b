package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// clockError is how far the clock may be off before records mislead.
const clockError = 2 * time.Minute

// checkClock compares the clock with the config server's, and with what cannot
// be in the future: this build and the record.
func checkClock(_ context.Context, p *patient) finding {
	const advice = "Set it, and have it kept: timedatectl set-ntp true. Records are sorted and searched by time."
	if !p.serverTime.IsZero() && p.now.Sub(p.serverTime).Abs() > clockError {
		return wrong(advice, "this machine says %s, the config server %s", stamp(p.now), stamp(p.serverTime))
	}
	if past, what := p.latestPast(); p.now.Add(clockError).Before(past) {
		return wrong(advice, "it says %s, but %s is from %s", stamp(p.now), what, stamp(past))
	}
	if state, err := unix.Adjtimex(&unix.Timex{}); err == nil && state == unix.TIME_ERROR {
		return doubtful(advice, "%s, but it is not kept right over the network", stamp(p.now))
	}
	return fine("%s", stamp(p.now))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// latestPast returns the latest time that must be over, and of what it is.
func (p *patient) latestPast() (latest time.Time, what string) {
	note := func(t time.Time, of string) {
		if t.After(latest) {
			latest, what = t, of
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				note(t, "this flashd")
			}
		}
	}
	if info, err := os.Stat(storePath(p.StateDir)); err == nil {
		note(info.ModTime(), "the record")
	}
	return latest, what
}

func (p *patient) boards(ctx context.Context) ([]hotplug.Device, error) {
	list := hotplug.Sysfs{Root: filepath.Join(p.root, "sys"), Dev: filepath.Join(p.root, "dev"), Accept: hotplug.KnownOr(p.USB.Accept...)}
	return list.List(ctx)
}

// checkBoards wants the ports of the boards that are plugged in to be usable.
func checkBoards(ctx context.Context, p *patient) finding {
	devices, err := p.boards(ctx)
	switch {
	case errors.Is(err, hotplug.ErrNoUSB):
		return wrong("In a container or virtual machine, pass the USB devices through.", "this machine has no USB")
	case err != nil:
		return wrong("Look at dmesg.", "%v", err)
	case len(devices) == 0:
		return doubtful("Put a board into a slot and ask again: then its port is checked.", "none is plugged in")
	}
	inSlots := 0
	var notes []string
	for _, d := range devices {
		_, isSlot := p.Slots.Name(d.Path)
		if isSlot {
			inSlots++
		}
		if note := noteOn(d, true, true); note != "" {
			notes = append(notes, fmt.Sprintf("%s %s: %s", d.Path, d.TTY, note))
		}
	}
	switch {
	case len(notes) > 0:
		return wrong("See flashd ports.", "%s", strings.Join(notes, "\n"))
	case inSlots == 0:
		return doubtful("flashd ports shows the paths; write those of the fixture into flashd.yaml.", "%d plugged in, none of them in a slot of flashd.yaml", len(devices))
	}
	return fine("%d plugged in, %d of them in slots", len(devices), inSlots)
}

const rulesFile = "60-flashd.rules"

// hasRules looks where udev does.
func (p *patient) hasRules() bool {
	return slices.ContainsFunc([]string{"etc", "run", "usr/local/lib", "usr/lib", "lib"}, func(dir string) bool {
		_, err := os.Stat(filepath.Join(p.root, dir, "udev/rules.d", rulesFile))
		return err == nil
	})
}

func checkRules(_ context.Context, p *patient) finding {
	if !p.hasRules() {
		return wrong("Install the Debian package, or copy deploy/"+rulesFile+" into /etc/udev/rules.d and run udevadm control --reload.",
			"%s is not installed: only root can open the boards' ports", rulesFile)
	}
	return fine("%s is installed", rulesFile)
}

// checkRivals looks for programs that take the ports of boards for modems or
// Braille displays.
func checkRivals(_ context.Context, p *patient) finding {
	running := p.processes()
	switch {
	case running["brltty"]:
		return wrong("apt remove brltty, unless somebody reads Braille here.", "brltty runs, and takes CP210x and CH340 bridges away")
	case running["ModemManager"] && !p.hasRules():
		return wrong("Install "+rulesFile+", or: systemctl mask --now ModemManager.", "ModemManager runs, and sends AT commands to boards for some ten seconds each")
	case running["ModemManager"]:
		return fine("ModemManager runs; %s keeps it from the boards", rulesFile)
	}
	return fine("none that takes ports away")
}

// processes returns the names of those that run.
func (p *patient) processes() map[string]bool {
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(p.root, "proc/[0-9]*/comm"))
	if err != nil {
		return names // only for a malformed pattern
	}
	for _, f := range files {
		if name, err := os.ReadFile(f); err == nil { // it may have ended
			names[strings.TrimSpace(string(name))] = true
		}
	}
	return names
}

// checkAutosuspend looks for boards that the kernel may put to sleep. Some
// bridges lose bytes when they wake.
func checkAutosuspend(ctx context.Context, p *patient) finding {
	devices, err := p.boards(ctx)
	if err != nil || len(devices) == 0 {
		return fine("no board is plugged in")
	}
	var sleepy []string
	for _, d := range devices {
		control, err := os.ReadFile(filepath.Join(p.root, "sys/bus/usb/devices", d.Path, "power/control"))
		if err == nil && strings.TrimSpace(string(control)) == "auto" {
			sleepy = append(sleepy, d.Path)
		}
	}
	if len(sleepy) > 0 {
		return doubtful(rulesFile+" turns it off for boards as they come; other rules or a power manager turn it on again.",
			"it is on for the boards at %s", strings.Join(sleepy, ", "))
	}
	return fine("off for all boards")
}
