package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

// unitHistory is all that is known of a unit.
type unitHistory struct {
	Unit     jobs.Unit      `json:"unit"`
	Attempts []jobs.Attempt `json:"attempts"`
	Reworks  []jobs.Rework  `json:"reworks"`
}

// showUnit tells all about one unit.
func showUnit(c *cli.Context, from records) error {
	id, err := unitID(c.Args().First())
	if err != nil {
		return err
	}
	h, err := historyOf(c, from, id)
	if errors.Is(err, jobs.ErrNoUnit) {
		return withHint(exitNoUnit, err, "flashd units lists those that the station has seen.")
	}
	if err != nil {
		return err
	}
	attempts := all(h.Attempts)
	w := c.App.Writer
	switch format := c.String("format"); format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(h)
	case "table":
		fmt.Fprintln(w, h.summary(time.Now()))
		if err := writeAttempts(w, format, attempts); err != nil || len(h.Reworks) == 0 {
			return err
		}
		fmt.Fprintln(w)
		return writeRows(w, format, all(h.Reworks), reworkColumns, reworkRow)
	default:
		return writeAttempts(w, format, attempts)
	}
}

func historyOf(c *cli.Context, from records, id string) (h unitHistory, err error) {
	if h.Unit, err = from.Unit(c.Context, id); err != nil {
		return h, err
	}
	if h.Attempts, err = collect(from.Attempts(c.Context, jobs.Filter{Unit: id})); err != nil {
		return h, err
	}
	h.Reworks, err = collect(from.Reworks(c.Context, id, false))
	return h, err
}

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	list := []T{}
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// summary says in a few lines how a unit stands.
func (h unitHistory) summary(now time.Time) string {
	u := h.Unit
	state := "has not passed"
	switch {
	case u.Open != 0:
		state = fmt.Sprintf("is being worked on (attempt %d)", u.Open)
	case u.Passed:
		state = "passed " + localTime(u.PassedAt)
	}
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "unit\t%s %s\nstate\t%s\nfirmware\t%s\n", u.ID, u.Chip, state, cmp.Or(u.PassedRelease, "-"))
	fmt.Fprintf(tw, "seen\t%s to %s\n", localTime(u.First), localTime(u.Last))
	fmt.Fprintf(tw, "attempts\t%d, %d failed, %d refused\n", u.Attempts, u.Fails, u.Refused)
	if n := u.Archived.Attempts + u.Archived.Refused; n > 0 {
		fmt.Fprintf(tw, "archived\t%d of them are in archives: flashd jobs --unit %s --archive FILE\n", n, u.ID)
	}
	if r := u.Rework; r != nil && r.State(now) == jobs.ReworkArmed {
		fmt.Fprintf(tw, "rework\tallowed by %s: %s\n", r.By, r.Reason)
	}
	tw.Flush() //nolint:errcheck // a strings.Builder does not fail
	return b.String()
}
