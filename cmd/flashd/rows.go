package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/jobs"
)

// formatFlag chooses among table, json, jsonl and csv.
func formatFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "format", Value: "table", Usage: "table, json (an array), jsonl (an object a line) or csv", Action: checkFormat}
}

func checkFormat(_ *cli.Context, format string) error {
	switch format {
	case "table", "json", "jsonl", "csv":
		return nil
	default:
		return usagef("--format %q: want table, json, jsonl or csv", format)
	}
}

// columns are what records look like as rows: in a table for people, and in CSV
// with all that is known.
type columns[T any] struct {
	tableHeader []string
	tableRow    func(T) []string
	csvHeader   []string
	csvRow      func(T) []string
}

// writeRecords is writeRows for records that have more to say in CSV.
func writeRecords[T any](w io.Writer, format string, records iter.Seq2[T, error], c columns[T]) error {
	if format == "csv" {
		return jobs.WriteCSV(w, records, c.csvHeader, c.csvRow)
	}
	return writeRows(w, format, records, c.tableHeader, c.tableRow)
}

// writeRows writes records as the user wants them: a table or CSV of columns, or
// the records themselves, as a JSON array or as lines of JSON.
func writeRows[T any](w io.Writer, format string, records iter.Seq2[T, error], header []string, row func(T) []string) error {
	switch format {
	case "csv":
		return jobs.WriteCSV(w, records, header, row)
	case "json":
		return writeJSON(w, records)
	case "jsonl":
		return writeJSONLines(w, records)
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

// writeJSON writes an array an element at a time: there may be a million.
func writeJSON[T any](w io.Writer, records iter.Seq2[T, error]) error {
	out := bufio.NewWriter(w)
	lead := "[\n  "
	for r, err := range records {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		data, err := json.MarshalIndent(r, "  ", "  ")
		if err != nil {
			return err
		}
		if _, err := out.WriteString(lead + string(data)); err != nil {
			return err
		}
		lead = ",\n  "
	}
	end := "\n]\n"
	if lead[0] == '[' {
		end = "[]\n"
	}
	_, err := out.WriteString(end)
	return errors.Join(err, out.Flush())
}

func writeJSONLines[T any](w io.Writer, records iter.Seq2[T, error]) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for r, err := range records {
		if err == nil {
			err = lines.Encode(r)
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}
