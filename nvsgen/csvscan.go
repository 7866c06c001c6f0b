package nvsgen

import (
	"fmt"
	"strings"
)

// csvRow is one record of a CSV file and the line on which it begins.
type csvRow struct {
	line   int
	fields []string
}

// scanCSV splits text into rows as Python's csv module does, which Espressif's
// tools read with: a quotation mark counts only at the start of a field, and
// blanks belong to the field. Blank lines are skipped, and those that begin
// with the byte comment, if it is not 0: but not inside a quoted value. Unlike
// with Python's, a quoted field has to end.
func scanCSV(text string, comment byte) ([]csvRow, error) {
	if strings.HasPrefix(text, "\uFEFF") {
		return nil, fmt.Errorf("%w: row 1: the file begins with a byte order mark; save it as UTF-8 without", ErrCSV)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	var rows []csvRow
	for line := 1; text != ""; {
		if text[0] == '\n' || text[0] == comment {
			_, text, _ = strings.Cut(text, "\n")
			line++
			continue
		}
		row, rest, err := scanRow(text)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", line, err)
		}
		rows = append(rows, csvRow{line, row})
		line += strings.Count(text[:len(text)-len(rest)], "\n")
		text = rest
	}
	return rows, nil
}

func scanRow(text string) (fields []string, rest string, err error) {
	for {
		field, after, err := scanField(text)
		if err != nil {
			return nil, "", err
		}
		fields = append(fields, field)
		if after == "" || after[0] == '\n' {
			return fields, strings.TrimPrefix(after, "\n"), nil
		}
		text = after[1:] // behind the comma
	}
}

// scanField returns one field and what follows it: nothing, a line feed, or a
// comma.
func scanField(text string) (field, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ",\n")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for text = text[1:]; ; text = text[1:] {
		part, after, closed := strings.Cut(text, `"`)
		if !closed {
			return "", "", fmt.Errorf("%w: a quoted value does not end; close it with a quotation mark", ErrCSV)
		}
		b.WriteString(part)
		if !strings.HasPrefix(after, `"`) {
			if after != "" && after[0] != ',' && after[0] != '\n' {
				return "", "", fmt.Errorf("%w: text follows a closing quotation mark; write a quotation mark inside a quoted value twice", ErrCSV)
			}
			return b.String(), after, nil
		}
		b.WriteByte('"')
		text = after
	}
}
