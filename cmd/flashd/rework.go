package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

func reworkCommand() *cli.Command {
	return &cli.Command{
		Name:      "rework",
		Usage:     "allow a unit that has passed to be provisioned again",
		ArgsUsage: "UNIT",
		Description: "The unit's NVS partition is written anew when it is next put in, or at once if it is in a slot.\n" +
			"Its firmware stays as it is, unless --reflash is given.",
		Flags: []cli.Flag{
			stateDirFlag(),
			&cli.StringFlag{Name: "reason", Usage: "why; `TEXT` for the record (required)"},
			&cli.StringFlag{Name: "by", Usage: "`NAME` of who allows it", DefaultText: "the user who runs the command"},
			&cli.BoolFlag{Name: "reflash", Usage: "write the firmware again, too"},
		},
		Action: rework,
	}
}

func rework(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("flashd rework wants one unit, such as flashd rework A1B2C3D4E5F6 --reason 'broker moved'")
	}
	unit, err := unitID(c.Args().First())
	if err != nil {
		return err
	}
	r := jobs.Rework{Unit: unit, Reason: c.String("reason"), By: c.String("by"), Reflash: c.Bool("reflash")}
	if r.Reason == "" {
		return usagef("a rework is recorded with its reason: add --reason TEXT")
	}
	if r.By == "" {
		if r.By, err = userName(); err != nil {
			return err
		}
	}
	allowed, err := allowRework(c.Context, c.String("state-dir"), r)
	if err != nil {
		return reworkError(unit, err)
	}
	what := "its NVS partition"
	if allowed.Reflash {
		what = "its firmware and its NVS partition"
	}
	fmt.Fprintf(c.App.Writer, "Unit %s: %s will be written again (allowed by %s). Put it into a slot.\n", unit, what, allowed.By)
	return nil
}

func userName() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", withHint(exitUsage, fmt.Errorf("who allows the rework is not known: %w", err), "Add --by NAME.")
	}
	return u.Username, nil
}

// allowRework tells the daemon if one runs, and writes it into the store if
// none does.
func allowRework(ctx context.Context, stateDir string, r jobs.Rework) (jobs.Rework, error) {
	client, err := web.Dial(stateDir)
	if err == nil {
		defer client.Close()
		return client.Rework(ctx, r)
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return jobs.Rework{}, err
	}
	store, err := openExisting(stateDir)
	if err != nil {
		return jobs.Rework{}, err
	}
	allowed, err := store.AllowRework(r)
	return allowed, errors.Join(err, store.Close())
}

// openExisting opens the store for writing, but makes none.
func openExisting(stateDir string) (*jobs.Store, error) {
	probe, err := jobs.OpenReadOnly(storePath(stateDir))
	if err != nil {
		return nil, storeError(stateDir, err)
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	store, err := jobs.Open(storePath(stateDir))
	if err != nil {
		return nil, storeError(stateDir, err)
	}
	return store, nil
}

func reworkError(unit string, err error) error {
	switch {
	case errors.Is(err, jobs.ErrNoUnit):
		return withHint(exitNoUnit, fmt.Errorf("unit %s has never been on this station", unit), "flashd units lists those that have.")
	case errors.Is(err, jobs.ErrNotPassed):
		return withHint(exitRefused, fmt.Errorf("unit %s has not passed, so it needs no rework", unit), "Put it into a slot.")
	default:
		return err
	}
}
