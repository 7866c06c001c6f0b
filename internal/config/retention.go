package config

import (
	"path/filepath"

	"github.com/goccy/go-yaml/ast"

	"hoptech.co.nz/flashd/internal/span"
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

// Span is a span.Span of the file.
type Span struct{ span.Span }

// UnmarshalYAML reads a span as it is written.
func (s *Span) UnmarshalYAML(node ast.Node) (err error) {
	s.Span, err = span.Parse(scalar(node))
	return err
}

// shortestKeep is in days: the board shows the last day.
const shortestKeep = 2

func (f *file) checkRetention(r Retention) {
	if keep := r.Keep; keep != (Span{}) && keep.Years == 0 && keep.Months == 0 && keep.Days < shortestKeep {
		f.problemAt("retention.keep", "keep %dd or more: the board shows the last day", shortestKeep)
	}
}
