package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

func archiveCommand() *cli.Command {
	return &cli.Command{
		Name:  "archive",
		Usage: "move old attempts out of the record, into a compressed file",
		Description: "Finished attempts that were begun before a time are written to a file, lines of JSON compressed\n" +
			"with zstd, and deleted once that has been read again. What units have come to and their reworks\n" +
			"stay in the record: a unit that has passed is known for ever. If a station runs, the file goes into\n" +
			"its archive_dir, which flashd.yaml names; flashd.yaml can have it do this every day, too.\n" +
			"flashd jobs --archive FILE reads an archive.",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(),
			&cli.StringFlag{Name: "before", Usage: "those begun before then: `TIME` as 2024-11-24, or a span such as 90d or 2y (required)"},
			&cli.StringFlag{Name: "dir", Usage: "into `DIR`, if no station runs", DefaultText: "as configured, else archive in the state directory"},
		},
		Action: archive,
	}
}

func archive(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	before, err := momentFlag(c, "before")
	switch {
	case err != nil:
		return err
	case before.IsZero():
		return usagef("which attempts? Add --before TIME, such as --before 2y")
	case before.After(time.Now()):
		return usagef("--before %q: want a time that is past", c.String("before"))
	}
	filled, dir, err := archiveBefore(c, before)
	if err != nil {
		return diskError(err)
	}
	where := ""
	if dir == "" {
		where = ", in the archive_dir of the station" // which alone knows it
	}
	for _, r := range filled {
		fmt.Fprintf(c.App.Writer, "%d attempts are in %s%s.\n", r.Attempts, filepath.Join(dir, r.File), where)
	}
	if len(filled) == 0 {
		fmt.Fprintln(c.App.Writer, "There is nothing to archive.")
	}
	return nil
}

// archiveBefore asks the station if one runs, and opens the store if none does.
// dir is where the files are, "" if the station has filled them.
func archiveBefore(c *cli.Context, before time.Time) (filled []jobs.Archive, dir string, err error) {
	cfg, err := recordConfig(c)
	if err != nil {
		return nil, "", err
	}
	station, err := web.Dial(cfg.StateDir)
	if err == nil {
		defer station.Close()
		if c.IsSet("dir") {
			return nil, "", usagef("--dir: a station is running, and its flashd.yaml says where archives go")
		}
		filled, err = station.Archive(c.Context, before)
		return filled, "", err
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return nil, "", err
	}
	if c.IsSet("dir") {
		cfg.Retention.ArchiveDir = c.String("dir")
	}
	dir, _ = cfg.ArchiveFolder()
	store, err := openExisting(cfg.StateDir)
	if err != nil {
		return nil, "", err
	}
	filled, err = archiveInto(c.Context, store, cfg, before)
	return filled, dir, errors.Join(err, store.Close())
}

// archiveInto moves attempts into the folder of archives.
func archiveInto(ctx context.Context, store *jobs.Store, cfg *config.Config, before time.Time) ([]jobs.Archive, error) {
	dir, ours := cfg.ArchiveFolder()
	if ours {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return store.Archive(ctx, dir, before)
}
