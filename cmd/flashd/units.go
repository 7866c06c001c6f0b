package main

import (
	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

func unitsCommand() *cli.Command {
	return &cli.Command{
		Name:      "units",
		Usage:     "list the units that this station knows, or tell all about one",
		ArgsUsage: "[UNIT]",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(), formatFlag(),
			&cli.StringFlag{Name: "state", Usage: "only those that are passed, failed or working"},
			&cli.StringFlag{Name: "outcome", Usage: "only those whose latest attempt ended with pass, fail, error or aborted"},
			&cli.StringFlag{Name: "release", Usage: "only those that have the firmware of the release of this `NAME`"},
			&cli.StringFlag{Name: "since", Usage: "only those seen since then: `TIME` as 2026-11-24, 2026-11-24T15:04, or a span such as 8h or 30d"},
			&cli.StringFlag{Name: "until", Usage: "only those seen last before then: `TIME` as for --since"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N`"},
		},
		Action: showUnits,
	}
}

func showUnits(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("flashd units takes one unit or none, got %q", c.Args().Slice())
	}
	filter, err := unitFilter(c)
	if err != nil {
		return err
	}
	records, done, err := openRecords(c)
	if err != nil {
		return err
	}
	defer done()
	if c.NArg() == 1 {
		return showUnit(c, records)
	}
	return writeRecords(c.App.Writer, c.String("format"), records.Units(c.Context, filter),
		columns[jobs.Unit]{jobs.UnitColumns, jobs.Unit.Row, jobs.UnitHeader, jobs.Unit.Fields})
}

// unitFilter selects the units that the flags ask for; they are called as the
// fields of a query to the API.
func unitFilter(c *cli.Context) (f web.UnitFilter, err error) {
	f = web.UnitFilter{State: c.String("state"), Outcome: jobs.Outcome(c.String("outcome")), Release: c.String("release"), Limit: c.Int("limit")}
	for _, name := range []string{"state", "outcome", "release", "since", "until", "limit"} {
		if c.NArg() > 0 && c.IsSet(name) {
			return f, usagef("--%s is for lists: name a unit, or say which to list", name)
		}
	}
	if f.Since, f.Until, err = sinceAndUntil(c); err != nil {
		return f, err
	}
	if err := f.Check(); err != nil {
		return f, usagef("--%w", err)
	}
	return f, nil
}

// unitID reads a unit as people write it: a device ID or a MAC.
func unitID(s string) (string, error) {
	mac, err := flasher.ParseMAC(s)
	if err != nil {
		return "", usagef("unit %q: want its device ID, 12 hex digits such as A1B2C3D4E5F6", s)
	}
	return mac.DeviceID(), nil
}
