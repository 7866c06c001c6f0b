package config

import (
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Retention says how long the store keeps attempts before it moves them into
// archives.
type Retention struct {
	Keep       Span   `yaml:"keep"`        // the zero Span: for ever
	ArchiveDir string `yaml:"archive_dir"` // "": the folder archive in the state directory
}

// ArchiveFolder is where archives are put, and whether flashd makes that folder:
// not one that is named, since a disk that is not mounted has its folder missing.
func (c *Config) ArchiveFolder() (dir string, ours bool) {
	if c.Retention.ArchiveDir != "" {
		return c.Retention.ArchiveDir, false
	}
	return filepath.Join(c.StateDir, "archive"), true
}

// Span is a time by the calendar.
type Span struct {
	Years, Months, Days int
}

// ErrSpan is returned for what is no Span.
var ErrSpan = errors.New("want a number of years, months, weeks or days, such as 2y, 18mo, 26w or 90d")

// ParseSpan reads a number and its unit: 2y, 18mo, 26w or 90d.
func ParseSpan(text string) (Span, error) {
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(text[:i])
	if err != nil || n < 1 || n > 100_000 {
		return Span{}, ErrSpan
	}
	switch text[i:] {
	case "y":
		return Span{Years: n}, nil
	case "mo":
		return Span{Months: n}, nil
	case "w":
		return Span{Days: 7 * n}, nil
	case "d":
		return Span{Days: n}, nil
	default:
		return Span{}, ErrSpan
	}
}

// Before is the moment that is s before t.
func (s Span) Before(t time.Time) time.Time { return t.AddDate(-s.Years, -s.Months, -s.Days) }

// UnmarshalYAML reads a span as it is written.
func (s *Span) UnmarshalYAML(node ast.Node) (err error) {
	*s, err = ParseSpan(scalar(node))
	return err
}

// shortestKeep is in days: the board shows the last day.
const shortestKeep = 2

func (f *file) checkRetention(r Retention) {
	if keep := r.Keep; keep != (Span{}) && keep.Years == 0 && keep.Months == 0 && keep.Days < shortestKeep {
		f.problemAt("retention.keep", "keep %dd or more: the board shows the last day", shortestKeep)
	}
}
