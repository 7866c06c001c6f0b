package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// An Error is returned when a configuration file is not right.
type Error struct {
	File     string // its name, without folder
	Problems []Problem
}

// A Problem is one thing to put right.
type Problem struct {
	Line, Column int    // from 1; 0 if the problem is something missing
	Key          string // path of the key: "credentials.server.url"; "" for the file itself
	Text         string // what is wrong and what to do
}

// Error returns a line for each problem: FILE:LINE:COLUMN: KEY: TEXT.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.File + p.String()
	}
	return strings.Join(lines, "\n")
}

// String returns ":LINE:COLUMN: KEY: TEXT", without the parts that are not known.
func (p Problem) String() string {
	var at, key string
	if p.Line > 0 {
		at = fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	if p.Key != "" {
		key = p.Key + ": "
	}
	return at + ": " + key + p.Text
}

// problem notes a problem with node, whose key path is key.
func (f *file) problem(node ast.Node, key, format string, args ...any) {
	if m, ok := node.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() {
			node = it.Key() // the mapping's own token is a colon
		}
	}
	at := node.GetToken().Position
	f.problems = append(f.problems, Problem{at.Line, at.Column, key, fmt.Errorf(format, args...).Error()})
}

// problemAt notes a problem with the value at key, or, if it was not given,
// with the section that should have it.
func (f *file) problemAt(key, format string, args ...any) {
	for at := key; at != ""; at = parent(at) {
		if node := f.nodes[at]; node != nil {
			f.problem(node, key, format, args...)
			return
		}
	}
	f.problems = append(f.problems, Problem{Key: key, Text: fmt.Sprintf(format, args...)})
}

// parent returns the key path of the section that key is in, or "".
func parent(key string) string {
	i := strings.LastIndexByte(key, '.')
	return key[:max(i, 0)]
}
