package main

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

func jobsCommand() *cli.Command {
	return &cli.Command{
		Name:  "jobs",
		Usage: "list attempts, the latest first",
		Flags: []cli.Flag{
			stateDirFlag(), formatFlag(),
			&cli.StringFlag{Name: "unit", Usage: "only those of the unit with this device `ID`"},
			&cli.StringFlag{Name: "outcome", Usage: "only those that ended with pass, fail, error, aborted or refused"},
			&cli.StringFlag{Name: "slot", Usage: "only those in the slot with this `NAME`"},
			&cli.StringFlag{Name: "since", Usage: "only those begun since then: `TIME` as 2026-11-24, 2026-11-24T15:04, or a span such as 8h"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N`"},
		},
		Action: listJobs,
	}
}

func listJobs(c *cli.Context) error {
	filter, err := jobFilter(c)
	if err != nil {
		return err
	}
	records, done, err := openRecords(c.String("state-dir"))
	if err != nil {
		return err
	}
	defer done()
	return writeRows(c.App.Writer, c.String("format"), records.Attempts(c.Context, filter), jobs.AttemptColumns, jobs.Attempt.Row)
}

func jobFilter(c *cli.Context) (f jobs.Filter, err error) {
	if c.NArg() > 0 {
		return f, usagef("flashd jobs takes no arguments, got %q", c.Args().First())
	}
	f = jobs.Filter{Slot: c.String("slot"), Outcome: jobs.Outcome(c.String("outcome")), Limit: c.Int("limit")}
	if f.Outcome != "" && !slices.Contains(jobs.Outcomes, f.Outcome) {
		return f, usagef("--outcome %q: want one of %v", f.Outcome, jobs.Outcomes)
	}
	if f.Limit < 0 {
		return f, usagef("--limit %d: want how many attempts to list at most", f.Limit)
	}
	if c.IsSet("unit") {
		if f.Unit, err = unitID(c.String("unit")); err != nil {
			return f, err
		}
	}
	if c.IsSet("since") {
		f.Since, err = parseSince(c.String("since"), time.Now())
	}
	return f, err
}

// parseSince reads a moment, or how long ago it was.
func parseSince(s string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(s); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--since %q: want a day such as 2026-11-24, a time such as 2026-11-24T15:04, or a span such as 8h", s)
}
