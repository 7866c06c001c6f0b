package main

import (
	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/jobs"
)

func unitsCommand() *cli.Command {
	return &cli.Command{
		Name:      "units",
		Usage:     "list the units that this station knows, or tell all about one",
		ArgsUsage: "[UNIT]",
		Flags:     []cli.Flag{configFlag(), stateDirFlag(), formatFlag()},
		Action:    showUnits,
	}
}

func showUnits(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("flashd units takes one unit or none, got %q", c.Args().Slice())
	}
	records, done, err := openRecords(c)
	if err != nil {
		return err
	}
	defer done()
	if c.NArg() == 1 {
		return showUnit(c, records)
	}
	return writeRecords(c.App.Writer, c.String("format"), records.Units(c.Context),
		columns[jobs.Unit]{jobs.UnitColumns, jobs.Unit.Row, jobs.UnitHeader, jobs.Unit.Fields})
}

// unitID reads a unit as people write it: a device ID or a MAC.
func unitID(s string) (string, error) {
	mac, err := flasher.ParseMAC(s)
	if err != nil {
		return "", usagef("unit %q: want its device ID, 12 hex digits such as A1B2C3D4E5F6", s)
	}
	return mac.DeviceID(), nil
}
