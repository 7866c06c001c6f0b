package jobs

import (
	"encoding/csv"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// WriteCSV writes records as RFC 4180 has it, a line each, below a header. A
// field that a spreadsheet would take for a formula gets an apostrophe in front,
// which a spreadsheet takes for text. An error of records ends it.
func WriteCSV[T any](w io.Writer, records iter.Seq2[T, error], header []string, row func(T) []string) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(header); err != nil {
		return err
	}
	for r, err := range records {
		if err != nil {
			return err
		}
		fields := row(r)
		for i, f := range fields {
			fields[i] = asText(f)
		}
		if err := cw.Write(fields); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

func asText(field string) string {
	first, _ := utf8.DecodeRuneInString(field)
	if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) { // the wide ones count in East Asia
		return "'" + field
	}
	return field
}
