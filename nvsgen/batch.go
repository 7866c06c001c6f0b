package nvsgen

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// BatchUnit is one unit of a batch: one row of the values file.
type BatchUnit struct {
	// ID is the value of the column chosen, or the number of the unit from 1.
	ID      string
	Entries []Entry

	rows []csvRow
}

// BatchOptions say how [ReadBatch] reads its files.
type BatchOptions struct {
	// IDColumn is the key whose value becomes the ID of a unit; empty numbers
	// the units.
	IDColumn string
	// Open opens what a file row names; nil is os.Open.
	Open func(name string) (io.ReadCloser, error)
}

// ReadBatch reads the two files of Espressif's mfg_gen.py and returns the
// entries of each unit. The template has a row for each key, without a value:
//
//	gateway,namespace,
//	mqtt_user,data,string
//	wifi_ssid,data,string,REPEAT
//
// The values file begins with a row of the keys in the same order, and goes on
// with a row for each unit. It may have columns that are no keys. The value of
// a key marked REPEAT is that of the first unit for all.
func ReadBatch(template, values io.Reader, opts *BatchOptions) ([]BatchUnit, error) {
	if opts == nil {
		opts = &BatchOptions{}
	}
	keys, err := readTemplate(template)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	table, err := readTable(values)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	if err := matchColumns(keys, table[0].fields); err != nil {
		return nil, err
	}
	id := slices.Index(table[0].fields, opts.IDColumn)
	if opts.IDColumn != "" && id < 0 {
		return nil, fmt.Errorf("%w: values: there is no column %s to name the units by; choose one of the first row", ErrCSV, quote(opts.IDColumn))
	}
	var units []BatchUnit
	for n, row := range table[1:] {
		u := BatchUnit{ID: strconv.Itoa(n + 1), rows: fillTemplate(keys, row, table[1])}
		if opts.IDColumn != "" {
			u.ID = row.fields[id]
		}
		if u.Entries, err = readRows(u.rows, &CSVOptions{Open: opts.Open}); err != nil {
			return nil, fmt.Errorf("values: %w", err)
		}
		units = append(units, u)
	}
	return units, nil
}

// WriteCSV writes the unit in the columns of [ReadCSV].
func (u BatchUnit) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	for _, row := range u.rows {
		if err := c.Write(row.fields); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// templateKey is a row of a template.
type templateKey struct {
	line                int
	key, kind, encoding string
	repeat              bool
	column              int // of its value; -1 for a namespace
}

func readTemplate(r io.Reader) ([]templateKey, error) {
	rows, err := readAllRows(r)
	if err != nil {
		return nil, err
	}
	var keys []templateKey
	for _, row := range rows {
		repeat := slices.Contains(row.fields, "REPEAT")
		cells := slices.DeleteFunc(slices.Clone(row.fields), func(s string) bool { return s == "REPEAT" })
		if slices.Equal(cells, columnNames[:3]) || slices.Equal(cells, columnNames[:]) {
			continue // the header of nvs_partition_gen.py, which some keep
		}
		if len(cells) == 4 && cells[3] == "" {
			cells = cells[:3]
		}
		if len(cells) != 3 {
			return nil, fmt.Errorf("%w: row %d: %d columns; write key,type,encoding and, if all units share the value, REPEAT", ErrCSV, row.line, len(cells))
		}
		keys = append(keys, templateKey{line: row.line, key: cells[0], kind: cells[1], encoding: cells[2], repeat: repeat, column: -1})
	}
	return keys, nil
}

// readTable reads the values file, whose rows are all as long as the first.
func readTable(r io.Reader) ([]csvRow, error) {
	rows, err := readAllRows(r)
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%w: there is no unit; write a row of keys and then a row for each unit", ErrCSV)
	}
	for _, row := range rows {
		if len(row.fields) != len(rows[0].fields) {
			return nil, fmt.Errorf("%w: row %d: %d values for %d keys; give every key one", ErrCSV, row.line, len(row.fields), len(rows[0].fields))
		}
	}
	return rows, nil
}

func readAllRows(r io.Reader) ([]csvRow, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return scanCSV(string(text), 0)
}

// matchColumns finds the column of each key: they come in the same order, but
// other columns may stand between them.
func matchColumns(keys []templateKey, columns []string) error {
	at := 0
	for i := range keys {
		k := &keys[i]
		if k.kind == "namespace" {
			continue
		}
		next := slices.Index(columns[at:], k.key)
		if next < 0 {
			return fmt.Errorf("%w: template: row %d: key %s has no column in the values file, or not in the order of the template; add it", ErrCSV, k.line, quote(k.key))
		}
		k.column = at + next
		at = k.column + 1
	}
	return nil
}

// fillTemplate makes the rows of one unit. They keep the line of the values
// file, for error texts.
func fillTemplate(keys []templateKey, values, first csvRow) []csvRow {
	rows := []csvRow{{values.line, columnNames[:]}}
	for _, k := range keys {
		value := ""
		if k.column >= 0 {
			value = values.fields[k.column]
			if k.repeat {
				value = first.fields[k.column]
			}
		}
		rows = append(rows, csvRow{values.line, []string{k.key, k.kind, k.encoding, value}})
	}
	return rows
}
