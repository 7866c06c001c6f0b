package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

func reworkListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the reworks that are armed",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(), formatFlag(),
			&cli.BoolFlag{Name: "all", Usage: "also those that were used or cancelled, have expired or were replaced"},
			&cli.StringFlag{Name: "unit", Usage: "only those of the unit with this device `ID`"},
		},
		Action: listReworks,
	}
}

func listReworks(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	unit := ""
	if c.IsSet("unit") {
		if unit, err = unitID(c.String("unit")); err != nil {
			return err
		}
	}
	records, done, err := openRecords(c)
	if err != nil {
		return err
	}
	defer done()
	return writeRows(c.App.Writer, c.String("format"), records.Reworks(c.Context, unit, !c.Bool("all")), reworkColumns, reworkRow)
}

var reworkColumns = []string{"id", "unit", "state", "allowed", "expires", "by", "does", "reason", "ended"}

func reworkRow(r jobs.Rework) []string {
	expires := "never"
	if !r.Expires.IsZero() {
		expires = localTime(r.Expires)
	}
	return []string{
		fmt.Sprint(r.ID), r.Unit, string(r.State(time.Now())), localTime(r.Allowed), expires, r.By, reworkDoes(r), r.Reason, reworkEnded(r),
	}
}

// localTime is a time in the local zone, with its offset.
func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05Z07:00") }

// reworkDoes says in a few words what a rework writes.
func reworkDoes(r jobs.Rework) string {
	does := []string{"nvs"}
	if r.Reflash {
		does[0] = "all"
	}
	if r.KeepAll {
		does = append(does, "keep-all")
	}
	if r.NewCredentials {
		does = append(does, "new-credentials")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		does = append(does, name+"="+r.Set[name])
	}
	return strings.Join(does, " ")
}

// reworkEnded says when and by whom a rework was ended.
func reworkEnded(r jobs.Rework) string {
	switch {
	case !r.Used.IsZero():
		return localTime(r.Used)
	case !r.Cancelled.IsZero():
		return localTime(r.Cancelled) + " by " + r.CancelledBy + ": " + r.CancelReason
	case r.ReplacedBy != 0:
		return fmt.Sprintf("by rework %d", r.ReplacedBy)
	default:
		return ""
	}
}

func reworkCancelCommand() *cli.Command {
	return &cli.Command{
		Name:      "cancel",
		Usage:     "disarm a rework",
		ArgsUsage: "ID",
		Flags:     reworkRecordFlags(),
		Action:    cancelRework,
	}
}

func cancelRework(c *cli.Context) error {
	id, err := strconv.ParseUint(cmp.Or(c.Args().First(), "-"), 10, 64)
	if err != nil || c.NArg() != 1 {
		return usagef("flashd rework cancel wants the number of one rework: flashd rework list tells it")
	}
	reason, by, err := reasonAndName(c)
	if err != nil {
		return err
	}
	station, err := dialStation(c)
	if err != nil {
		return err
	}
	defer station.Close()
	r, err := station.CancelRework(c.Context, id, by, reason)
	if err != nil {
		return reworkError(err)
	}
	fmt.Fprintf(c.App.Writer, "Rework %d of unit %s is cancelled (by %s).\n", r.ID, r.Unit, r.CancelledBy)
	return nil
}
