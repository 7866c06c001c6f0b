package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

func reworkCommand() *cli.Command {
	return &cli.Command{
		Name:      "rework",
		Usage:     "allow units that have passed to be provisioned again",
		ArgsUsage: "UNIT...",
		Description: "A unit's NVS partition is renewed at once if the unit is in a slot, else when it is next put in: what the\n" +
			"release's template sets gets new values, with new credentials, and all other keys stay. Its firmware is not\n" +
			"touched, and the chip's digests prove it. What is set is recorded, so secrets cannot be.",
		Flags: append(reworkRecordFlags(),
			&cli.StringFlag{Name: "slot", Usage: "the unit in the slot with this `NAME`"},
			&cli.BoolFlag{Name: "scan", Usage: "the units whose device IDs are typed, one a line, as a barcode scanner does"},
			&cli.BoolFlag{Name: "reflash", Usage: "write everything again: firmware, a new NVS partition, new NVS keys"},
			&cli.BoolFlag{Name: "keep-all", Usage: "keep what the template sets, too, and the credentials; only set what is missing or has another type, and provisioned"},
			&cli.BoolFlag{Name: "new-credentials", Usage: "with --keep-all: ask for credentials again nevertheless; without it that is done anyway"},
			&cli.StringSliceFlag{Name: "set", KeepSpace: true, Usage: "set an NVS key: `KEY=VALUE`, NAMESPACE:KEY=VALUE or, for a key that the unit does not have, NAMESPACE:KEY:u16=VALUE (can be repeated)"},
			&cli.StringFlag{Name: "expires", Value: jobs.DefaultExpiry.String(), Usage: "how long it is armed: a `SPAN` such as 30m or 7d, or never"},
		),
		Action:      rework,
		Subcommands: []*cli.Command{reworkListCommand(), reworkCancelCommand()},
	}
}

// reworkRecordFlags say what the record keeps of every change.
func reworkRecordFlags() []cli.Flag {
	return []cli.Flag{
		configFlag(), stateDirFlag(),
		&cli.StringFlag{Name: "reason", Usage: "why; `TEXT` for the record (required)"},
		&cli.StringFlag{Name: "by", Usage: "`NAME` of who allows it", DefaultText: "the user who runs the command, with sudo, too"},
	}
}

func rework(c *cli.Context) error {
	units, err := reworkUnits(c)
	if err != nil {
		return err
	}
	ask, err := reworkRequest(c)
	if err != nil {
		return err
	}
	station, err := dialStation(c)
	if err != nil {
		return err
	}
	defer station.Close()
	switch {
	case c.Bool("scan"):
		return reworkScanned(c, station, ask)
	case c.IsSet("slot"):
		return reworkOne(c, station, ask)
	}
	for _, ask.Unit = range units {
		if err := reworkOne(c, station, ask); err != nil {
			return err
		}
	}
	return nil
}

// reworkUnits reads the units that are named, all before the first is reworked.
func reworkUnits(c *cli.Context) (units []string, err error) {
	for _, arg := range c.Args().Slice() {
		unit, err := unitID(arg)
		if err != nil {
			if near := meant(c.Command.HelpName+" ", arg, commandNames(c.Command.Subcommands)); near != "" {
				return nil, usagef("%w%s", err, near)
			}
			return nil, err
		}
		units = append(units, unit)
	}
	return units, nil
}

// reworkRequest reads the command line; the unit may be missing.
func reworkRequest(c *cli.Context) (q web.ReworkRequest, err error) {
	ways := 0
	for _, named := range []bool{c.NArg() > 0, c.IsSet("slot"), c.Bool("scan")} {
		if named {
			ways++
		}
	}
	if ways != 1 {
		return q, usagef("say which unit: flashd rework A1B2C3D4E5F6, or --slot NAME, or --scan")
	}
	q = web.ReworkRequest{
		Slot: c.String("slot"), Reflash: c.Bool("reflash"), KeepAll: c.Bool("keep-all"), NewCredentials: c.Bool("new-credentials"),
		Expires: c.String("expires"),
	}
	if q.Set, err = nvsSettings(c.StringSlice("set")); err != nil {
		return q, err
	}
	q.Reason, q.By, err = reasonAndName(c)
	return q, err
}

// nvsSettings reads KEY=VALUE as often as it was given.
func nvsSettings(args []string) (map[string]string, error) {
	set := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usagef("--set: want KEY=VALUE") // without the text: it may be a secret that was meant for elsewhere
		}
		if _, twice := set[name]; twice {
			return nil, usagef("--set: key %.60q is set twice", name)
		}
		if err := jobs.CheckSetting(name, value); err != nil {
			return nil, usagef("--set: %w", err)
		}
		set[name] = value
	}
	return set, nil
}

func reasonAndName(c *cli.Context) (reason, name string, err error) {
	reason, name = c.String("reason"), c.String("by")
	if strings.TrimSpace(reason) == "" {
		return "", "", usagef("a rework is recorded with its reason: add --reason TEXT")
	}
	if name == "" {
		name, err = caller()
	}
	return reason, name, err
}

// reworkScanned takes units as they are scanned. One that cannot be reworked does
// not keep the next from it.
func reworkScanned(c *cli.Context, station reworker, ask web.ReworkRequest) error {
	failed := 0
	for lines := linesOf(c.Context, c.App.Reader); ; {
		select {
		case line, more := <-lines:
			if !more && failed > 0 {
				return fmt.Errorf("%d of the units that were scanned cannot be reworked", failed)
			}
			if !more {
				return nil
			}
			if err := reworkLabel(c, station, ask, line); err != nil {
				failed++
				report(c.App.ErrWriter, err)
			}
		case <-c.Done():
			return c.Err()
		}
	}
}

// reworkLabel takes what is on a unit's label: its device ID, as its firmware
// prints it, too.
func reworkLabel(c *cli.Context, station reworker, ask web.ReworkRequest, label string) (err error) {
	label = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(label), "Device ID:"))
	if label == "" {
		return nil
	}
	if ask.Unit, err = unitID(label); err != nil {
		return err
	}
	return reworkOne(c, station, ask)
}

func reworkOne(c *cli.Context, station reworker, ask web.ReworkRequest) error {
	allowed, err := station.Rework(c.Context, ask)
	if err != nil {
		return reworkError(err)
	}
	what := "its NVS partition is renewed"
	if allowed.Reflash {
		what = "everything is written again"
	}
	when := "when it is next put into a slot"
	switch {
	case allowed.InSlot != "":
		when = "now, in slot " + allowed.InSlot
	case !allowed.Expires.IsZero():
		when += ", until " + allowed.Expires.Local().Format("2 January 2006 15:04")
	}
	fmt.Fprintf(c.App.Writer, "Unit %s: %s %s (rework %d, allowed by %s).\n", allowed.Unit, what, when, allowed.ID, allowed.By)
	return nil
}

// reworkError chooses the exit code, and what to do, for what the record said; a
// daemon's answers have them already.
func reworkError(err error) error {
	if _, answered := errors.AsType[*web.Error](err); answered {
		return err
	}
	switch {
	case errors.Is(err, jobs.ErrBadRework):
		return usagef("%w", err)
	case errors.Is(err, jobs.ErrNoUnit):
		return withHint(exitNoUnit, err, "flashd units lists those that have been on this station.")
	case errors.Is(err, jobs.ErrNoRework):
		return withHint(exitNoUnit, err, "flashd rework list --all lists those that there were.")
	case errors.Is(err, jobs.ErrNotPassed), errors.Is(err, jobs.ErrReworkOver):
		return withHint(exitRefused, err, "")
	default:
		return err
	}
}
