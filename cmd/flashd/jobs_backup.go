package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

func backupCommand() *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "copy the whole record into a file, while the station works on",
		ArgsUsage: "FILE",
		Description: "The copy is as the record is at one moment, and has been checked when the command ends.\n" +
			"To restore it, stop flashd, put the copy in the place of jobs.db in the state directory,\n" +
			"owned by flashd's user, and start flashd.",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(),
			&cli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
		},
		Action: backup,
	}
}

func backup(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("flashd jobs backup wants the name of one file, such as flashd jobs backup jobs-2026-11-24.db")
	}
	name := c.Args().First()
	if err := mayWrite(name, c.Bool("force")); err != nil {
		return err // before a million attempts are copied
	}
	records, done, err := openRecords(c)
	if err != nil {
		return err
	}
	defer done()
	var size int64
	tell, wipe := telling(c.App.ErrWriter)
	defer wipe()
	err = newFile(name, 0o600, c.Bool("force"), func(w io.Writer) (err error) {
		size, err = records.Backup(c.Context, w)
		return err
	}, func(temp string) error {
		return checkCopy(temp, func(step string, done, total int) error {
			return errors.Join(c.Err(), tell(step, done, total))
		})
	})
	if err != nil {
		return newFileError(err)
	}
	wipe()
	fmt.Fprintf(c.App.Writer, "%s is a whole copy of the record (%d bytes).\n", name, size)
	return nil
}

// checkCopy reads all of a copy that was just written.
func checkCopy(path string, tell jobs.Progress) error {
	store, err := jobs.OpenReadOnly(path)
	if err != nil {
		return fmt.Errorf("the copy is not whole: %w", err)
	}
	if err := errors.Join(store.Verify(tell), store.Close()); err != nil {
		return fmt.Errorf("the copy is not whole: %w", err)
	}
	return nil
}
