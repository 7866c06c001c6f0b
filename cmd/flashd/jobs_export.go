package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write attempts into a file, the latest first, for other programs to read",
		Flags: append([]cli.Flag{
			configFlag(), stateDirFlag(),
			&cli.StringFlag{Name: "format", Usage: "jsonl (an object a line), json (an array) or csv", DefaultText: "as the file is called, else jsonl", Action: checkExportFormat},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "into `FILE`, compressed if that ends in .gz or .zst", DefaultText: "standard output"},
		}, filterFlags()...),
		Action: export,
	}
}

func checkExportFormat(_ *cli.Context, format string) error {
	switch format {
	case "json", "jsonl", "csv":
		return nil
	default:
		return usagef("--format %q: want jsonl, json or csv", format)
	}
}

func export(c *cli.Context) error {
	name := c.String("output")
	format, err := exportFormat(c.String("format"), name)
	if err != nil {
		return err
	}
	attempts, done, err := selectedAttempts(c)
	if err != nil {
		return err
	}
	defer done()
	if name == "" {
		return writeAttempts(c.App.Writer, format, attempts)
	}
	n := 0
	err = newFile(name, 0o666, true, func(w io.Writer) error {
		out, err := packed(name, w)
		if err != nil {
			return err
		}
		return errors.Join(writeAttempts(out, format, counted(attempts, &n)), out.Close())
	}, func(string) error { return nil })
	if err != nil {
		return newFileError(err)
	}
	fmt.Fprintf(c.App.ErrWriter, "%d attempts are in %s.\n", n, name)
	return nil
}

// exportFormat goes by the name of the file if no format is asked for. Under an
// ending that it does not know, other programs would not find what they expect.
func exportFormat(format, name string) (string, error) {
	if format != "" {
		return format, nil
	}
	switch ext := filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")); ext {
	case ".csv", ".json", ".jsonl":
		return ext[1:], nil
	case "":
		return "jsonl", nil
	default:
		return "", usagef("-o %s: %s is not known: want .jsonl, .json or .csv, which .gz or .zst may follow, or say --format", name, ext)
	}
}

// counted counts the records that pass.
func counted(seq iter.Seq2[jobs.Attempt, error], n *int) iter.Seq2[jobs.Attempt, error] {
	return func(yield func(jobs.Attempt, error) bool) {
		for a, err := range seq {
			if err == nil {
				*n++
			}
			if !yield(a, err) {
				return
			}
		}
	}
}
