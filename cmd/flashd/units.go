package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/jobs"
)

func unitsCommand() *cli.Command {
	return &cli.Command{
		Name:   "units",
		Usage:  "list the units that this station knows",
		Flags:  []cli.Flag{stateDirFlag(), formatFlag()},
		Action: listUnits,
	}
}

func listUnits(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("flashd units takes no arguments, got %q; for one unit say flashd jobs --unit %s", c.Args().First(), c.Args().First())
	}
	records, done, err := openRecords(c.String("state-dir"))
	if err != nil {
		return err
	}
	defer done()
	return writeRows(c.App.Writer, c.String("format"), records.Units(c.Context), unitColumns, unitRow)
}

var unitColumns = []string{"unit", "chip", "passed", "release", "first_pass", "attempts", "last", "last_outcome", "rework"}

func unitRow(u jobs.Unit) []string {
	rework := ""
	if u.Rework != nil && u.Rework.State(time.Now()) == jobs.ReworkArmed {
		rework = "allowed by " + u.Rework.By
	}
	return []string{
		u.ID, u.Chip, fmt.Sprint(u.Passed), u.PassedRelease, fmt.Sprint(u.FirstPass), fmt.Sprint(u.Attempts),
		u.Last.Local().Format(time.DateTime), string(u.LastOutcome), rework,
	}
}

// unitID reads a unit as people write it: a device ID or a MAC.
func unitID(s string) (string, error) {
	mac, err := flasher.ParseMAC(s)
	if err != nil {
		return "", usagef("unit %q: want its device ID, 12 hex digits such as A1B2C3D4E5F6", s)
	}
	return mac.DeviceID(), nil
}
