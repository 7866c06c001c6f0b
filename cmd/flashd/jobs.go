package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

func jobsCommand() *cli.Command {
	return &cli.Command{
		Name:  "jobs",
		Usage: "list attempts, the latest first; export, back up, check and archive the record",
		Flags: append([]cli.Flag{configFlag(), stateDirFlag(), formatFlag()}, filterFlags()...),
		Subcommands: []*cli.Command{
			exportCommand(), backupCommand(), checkCommand(), archiveCommand(),
		},
		Action: listJobs,
	}
}

// filterFlags select attempts. They are called as the fields of a query to the API.
func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "unit", Usage: "only those of the unit with this device `ID`"},
		&cli.StringFlag{Name: "slot", Usage: "only those in the slot with this `NAME`"},
		&cli.StringFlag{Name: "release", Usage: "only those with the release of this `NAME`"},
		&cli.StringFlag{Name: "outcome", Usage: "only those that ended with pass, fail, error, aborted or refused"},
		&cli.StringFlag{Name: "kind", Usage: "only those with this `KIND` of failure, such as no_sync"},
		&cli.StringFlag{Name: "phase", Usage: "only those that failed in this `PHASE`"},
		&cli.StringFlag{Name: "blame", Usage: "only failures of the unit, or of the rig: unit or rig"},
		&cli.BoolFlag{Name: "open", Usage: "only those under way"},
		&cli.StringFlag{Name: "since", Usage: "only those begun since then: `TIME` as 2026-11-24, 2026-11-24T15:04, or a span such as 8h or 30d"},
		&cli.StringFlag{Name: "until", Usage: "only those begun before then: `TIME` as for --since"},
		&cli.IntFlag{Name: "limit", Usage: "at most `N`"},
		&cli.StringFlag{Name: "archive", Usage: "those of an archive, `FILE`, instead of the record, the earliest first"},
	}
}

func listJobs(c *cli.Context) error {
	attempts, done, err := selectedAttempts(c)
	if err != nil {
		return err
	}
	defer done()
	return writeAttempts(c.App.Writer, c.String("format"), attempts)
}

// selectedAttempts are those that the flags ask for.
func selectedAttempts(c *cli.Context) (_ iter.Seq2[jobs.Attempt, error], done func(), err error) {
	if err := noArguments(c); err != nil {
		return nil, nil, err
	}
	filter, err := jobFilter(c)
	if err != nil {
		return nil, nil, err
	}
	if file := c.String("archive"); file != "" {
		return chosen(c.Context, jobs.ArchivedAttempts(file), filter), func() {}, nil
	}
	records, done, err := openRecords(c)
	if err != nil {
		return nil, nil, err
	}
	return records.Attempts(c.Context, filter), done, nil
}

// chosen yields those attempts that f selects, until ctx ends.
func chosen(ctx context.Context, all iter.Seq2[jobs.Attempt, error], f jobs.Filter) iter.Seq2[jobs.Attempt, error] {
	return func(yield func(jobs.Attempt, error) bool) {
		n := 0
		for a, err := range all {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && !f.Selects(a) {
				continue
			}
			if n++; !yield(a, err) || err != nil || n == f.Limit {
				return
			}
		}
	}
}

func jobFilter(c *cli.Context) (f jobs.Filter, err error) {
	f = jobs.Filter{
		Slot: c.String("slot"), Release: c.String("release"), Outcome: jobs.Outcome(c.String("outcome")),
		Kind: c.String("kind"), Phase: c.String("phase"), Blame: jobs.Blame(c.String("blame")),
		Open: c.Bool("open"), Limit: c.Int("limit"),
	}
	if c.IsSet("unit") {
		if f.Unit, err = unitID(c.String("unit")); err != nil {
			return f, err
		}
	}
	if f.Since, f.Until, err = sinceAndUntil(c); err != nil {
		return f, err
	}
	if err := f.Check(); err != nil {
		return f, usagef("--%w", err)
	}
	if e, ok := errors.AsType[*web.Error](web.CheckWords(f)); ok {
		return f, withHint(exitUsage, fmt.Errorf("--%w", e), e.Hint)
	}
	return f, nil
}

// writeAttempts writes attempts as a user wants them.
func writeAttempts(w io.Writer, format string, attempts iter.Seq2[jobs.Attempt, error]) error {
	header, row := jobs.AttemptFields(station.Phases())
	return writeRecords(w, format, attempts, columns[jobs.Attempt]{jobs.AttemptColumns, jobs.Attempt.Row, header, row})
}
