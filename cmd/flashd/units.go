package main

import (
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
	return writeRows(c.App.Writer, c.String("format"), records.Units(c.Context), jobs.UnitColumns, jobs.Unit.Row)
}

// unitID reads a unit as people write it: a device ID or a MAC.
func unitID(s string) (string, error) {
	mac, err := flasher.ParseMAC(s)
	if err != nil {
		return "", usagef("unit %q: want its device ID, 12 hex digits such as A1B2C3D4E5F6", s)
	}
	return mac.DeviceID(), nil
}
