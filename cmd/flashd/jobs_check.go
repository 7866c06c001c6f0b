package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "read the whole record and tell whether it is as it should be; the station works on meanwhile",
		Description: "It looks for pages of the file that are lost or used twice, for records that cannot be read,\n" +
			"for indexes and summaries that do not agree with the attempts, and for attempts that are missing.\n" +
			"It exits with 0 if there is nothing, and with 1 if there is.",
		Flags:  []cli.Flag{configFlag(), stateDirFlag()},
		Action: checkRecord,
	}
}

func checkRecord(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	dir, err := stateDir(c)
	if err != nil {
		return err
	}
	records, done, err := openRecords(c)
	if err != nil {
		return err
	}
	defer done()
	tell, wipe := telling(c.App.ErrWriter)
	defer wipe()
	totals := map[string]int{}
	err = records.Verify(c.Context, func(step string, done, total int) error {
		totals[step] = total
		return tell(step, done, total)
	})
	wipe()
	if err != nil {
		return storeError(dir, err)
	}
	fmt.Fprintf(c.App.Writer, "The record is whole: %d attempts, %d units.\n", totals[jobs.Attempts], totals[jobs.Units])
	return nil
}

// telling returns what tells a person how far something is, on a line that it
// writes again and again, and what takes that line away. Nobody else is told.
func telling(w io.Writer) (tell jobs.Progress, wipe func()) {
	if !isTerminal(w) {
		return func(string, int, int) error { return nil }, func() {}
	}
	last, shown := time.Time{}, false
	tell = func(step string, done, total int) error {
		if now := time.Now(); now.Sub(last) >= 100*time.Millisecond {
			last, shown = now, true
			fmt.Fprintf(w, "\r\x1b[K%s: %d of %d", step, done, total)
		}
		return nil
	}
	return tell, func() {
		if shown {
			fmt.Fprint(w, "\r\x1b[K")
			shown = false
		}
	}
}
