package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

// formatFlag chooses among table, json and csv.
func formatFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "format", Value: "table", Usage: "table, json or csv", Action: checkFormat}
}

func checkFormat(_ *cli.Context, format string) error {
	switch format {
	case "table", "json", "csv":
		return nil
	default:
		return usagef("--format %q: want table, json or csv", format)
	}
}

// writeRows writes records as the user wants them: a table or CSV of columns,
// or the records themselves as a JSON array.
func writeRows[T any](w io.Writer, format string, records iter.Seq2[T, error], header []string, row func(T) []string) error {
	switch format {
	case "csv":
		return jobs.WriteCSV(w, records, header, row)
	case "json":
		return writeJSON(w, records)
	default:
		return writeTable(w, records, header, row)
	}
}

func writeTable[T any](w io.Writer, records iter.Seq2[T, error], header []string, row func(T) []string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.ToUpper(strings.Join(header, "\t")))
	for r, err := range records {
		if err != nil {
			return err
		}
		fmt.Fprintln(tw, strings.Join(row(r), "\t"))
	}
	return tw.Flush()
}

func writeJSON[T any](w io.Writer, records iter.Seq2[T, error]) error {
	all := []T{}
	for r, err := range records {
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}
