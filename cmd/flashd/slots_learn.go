package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/web"
)

// toOutput stands for standard output where a file is named.
const toOutput = "-"

func slotsLearnCommand() *cli.Command {
	return &cli.Command{
		Name:  "learn",
		Usage: "find out which USB path each slot has, by putting a board into one after the other",
		Description: "Only looks where boards turn up; no port is opened. The slots take the place of those in flashd.yaml, whose\n" +
			"other lines and comments stay. The file is not touched before the last slot is known.",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(),
			&cli.StringFlag{Name: "names", Usage: "`NAMES` of the slots, in order, such as left-1,left-2", DefaultText: "1,2,3 and so on"},
			&cli.IntFlag{Name: "count", Usage: "there are `N` slots", DefaultText: "as many as are shown"},
			&cli.StringFlag{Name: "output", Usage: "write the slots into `FILE`; - prints them only", DefaultText: "the configuration"},
		},
		Action: learnSlots,
	}
}

func learnSlots(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	cfg, target, err := learnSettings(c)
	if err != nil {
		return err
	}
	names, err := slotNames(c)
	if err != nil {
		return err
	}
	if err := noDaemonOn(c.Context, cfg.StateDir); err != nil {
		return err
	}
	if target != toOutput {
		if err := config.CanSaveSlots(target); err != nil {
			return withHint(exitFailure, err, "Run it with sudo, or have the slots printed only: --output -.")
		}
	}
	if n := len(cfg.Slots); n > 0 && target != toOutput {
		fmt.Fprintf(c.App.ErrWriter, "Slots that there are already (%d) give way to those that you show.\n", n)
	}
	slots, err := askForSlots(c, cfg, names)
	if err != nil {
		return err
	}
	return keepSlots(c.App.Writer, c.App.ErrWriter, target, slots)
}

// learnSettings returns the settings and the file that gets the slots. There
// need be no configuration yet: a file that does not exist is made.
func learnSettings(c *cli.Context) (cfg settings, target string, err error) {
	file, err := configurationFile(c)
	if err != nil {
		return cfg, "", err
	}
	target = cmp.Or(c.String("output"), file, toOutput)
	if _, err := os.Stat(file); file != "" && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(c.App.ErrWriter, "There is no %s yet.\n", file)
		cfg.Config = config.Default()
		if dir, named := given(c, "state-dir"); named {
			cfg.StateDir = dir
		}
		return cfg, target, nil
	}
	cfg, err = commonSettings(c)
	return cfg, target, err
}

func slotNames(c *cli.Context) ([]string, error) {
	if !c.IsSet("names") {
		if n := c.Int("count"); c.IsSet("count") && (n < 1 || n > 255) {
			return nil, usagef("--count %d: want 1 to 255 slots", n)
		}
		return nil, nil
	}
	names := strings.Split(c.String("names"), ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		switch {
		case names[i] == "":
			return nil, usagef("--names %q: a name is missing", c.String("names"))
		case slices.Contains(names[:i], names[i]):
			return nil, usagef("--names %q: two slots cannot both be called %s", c.String("names"), names[i])
		}
	}
	if n := c.Int("count"); c.IsSet("count") && n != len(names) {
		return nil, usagef("--count %d and %d names do not go together; leave one of the two out", n, len(names))
	}
	return names, nil
}

// noDaemonOn makes sure that the boards that are about to be put in are not
// written by a station that is running.
func noDaemonOn(ctx context.Context, stateDir string) error {
	client, err := web.Dial(stateDir)
	if errors.Is(err, web.ErrNoDaemon) {
		return nil
	}
	if err != nil {
		return withHint(exitFailure, fmt.Errorf("whether flashd is running cannot be seen: %w", err), "Run it with sudo.")
	}
	defer client.Close()
	view, err := client.Status(ctx)
	if err == nil && view.Simulated {
		return nil
	}
	return withHint(exitRefused, errors.Join(errors.New("flashd is running, and would write the boards that are put in"), err),
		"Stop it first: sudo systemctl stop flashd.")
}

// askForSlots has the operator show the slots.
func askForSlots(c *cli.Context, cfg settings, names []string) (config.Slots, error) {
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	accepted := hotplug.KnownOr(cfg.USB.Accept...)
	boards := candidates{&hotplug.Sysfs{Accept: anyID}, accepted}
	plugged, err := boards.List(ctx)
	if errors.Is(err, hotplug.ErrNoUSB) {
		return nil, withHint(exitFailure, err, "In a container or virtual machine, pass the USB devices through.")
	}
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
	wake, err := hotplug.Uevents(ctx)
	if err != nil {
		log.Warn("boards are noticed some seconds late", "err", err)
	}
	events := hotplug.Watch(ctx, boards, wake, hotplug.Options{
		Log: log, Usable: func(string) error { return nil }, // they are not opened
	})
	return newLearner(c.App.ErrWriter, accepted, names, c.Int("count"), plugged).run(ctx, events, linesOf(ctx, c.App.Reader))
}

// candidates lists boards, and whatever else has a tty and so may be one.
type candidates struct {
	hotplug.Lister
	accepted func(hotplug.ID) bool
}

// List implements hotplug.Lister.
func (c candidates) List(ctx context.Context) ([]hotplug.Device, error) {
	devices, err := c.Lister.List(ctx)
	return slices.DeleteFunc(devices, func(d hotplug.Device) bool { return d.TTY == "" && !c.accepted(d.ID()) }), err
}

// linesOf sends what is typed, line by line.
func linesOf(ctx context.Context, r io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for typed := bufio.NewScanner(r); typed.Scan(); {
			select {
			case lines <- typed.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// keepSlots writes slots into the file target, or prints them. What was found
// out is not lost if they cannot be written.
func keepSlots(out, say io.Writer, target string, slots config.Slots) error {
	if len(slots) == 0 {
		return errors.New("no slot was shown, so nothing is written")
	}
	if target == toOutput {
		_, err := fmt.Fprint(out, slots)
		return err
	}
	if err := config.SaveSlots(target, slots); err != nil {
		_, printErr := fmt.Fprint(out, slots)
		return withHint(exitFailure, errors.Join(err, printErr), "The slots are above: put them into "+target+" by hand.")
	}
	_, err := fmt.Fprintf(say, "%s has its slots now: %d. flashd reads it when it starts.\n", target, len(slots))
	return err
}
