package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ErrLayout is returned when a file is laid out in such a way that its slots
// cannot be replaced without touching the rest.
var ErrLayout = errors.New("the file is laid out so that its slots cannot be replaced without touching the rest")

// String returns the slots as they stand in flashd.yaml.
func (s Slots) String() string {
	var b strings.Builder
	b.WriteString("slots:\n")
	for _, slot := range s {
		b.WriteString("  " + slot.line() + "\n")
	}
	return b.String()
}

// plainName matches what YAML reads as written. Numbers are among it, since a
// slot's name is taken as written (see scalar); null is not.
var plainName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 ._/+-]*[A-Za-z0-9._/+-])?$`)

func (s Slot) line() string {
	name := s.Name
	if !plainName.MatchString(name) || strings.EqualFold(name, "null") {
		name = strconv.Quote(name)
	}
	return s.Path + ": " + name
}

// withSlots returns text, a flashd.yaml that is right, with other slots. All
// else stays byte for byte, and so do comments in the section: those above or
// beside a place that still is a slot stay there, others move to its top.
func withSlots(name string, text []byte, slots Slots) ([]byte, error) {
	before, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	lines := splitLines(string(text))
	for _, edit := range []func([]string, Slots) []string{replaceSlots, insertSlots, appendSlots} {
		edited := edit(lines, slots)
		if edited == nil {
			continue
		}
		after, err := parse(name, []byte(strings.Join(edited, "")))
		if err != nil {
			continue
		}
		want := *before
		want.Slots = slots
		if reflect.DeepEqual(&want, after) {
			return []byte(strings.Join(edited, "")), nil
		}
	}
	return nil, fmt.Errorf("%s: %w", filepath.Base(name), ErrLayout)
}

// splitLines cuts text behind each end of a line, and ends the last one.
func splitLines(text string) []string {
	lines := slices.Collect(strings.Lines(text))
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n"
	}
	return lines
}

// replaceSlots replaces the section slots; nil if there is none.
func replaceSlots(lines []string, slots Slots) []string {
	key, value := sectionSlots(strings.Join(lines, ""))
	if key == nil {
		return nil
	}
	at := key.GetToken().Position
	first := at.Line - 1 // of lines
	end := endOfSection(lines, first+1, at.Column)
	old := readSection(lines[first+1:end], first+2, value)
	return slices.Concat(lines[:first], []string{keyLine(lines[first])}, old.with(slots, at.Column), lines[end:])
}

// sectionSlots finds the key slots and its value.
func sectionSlots(text string) (key, value ast.Node) {
	tree, err := parser.ParseBytes([]byte(text), 0)
	if err != nil || len(tree.Docs) == 0 {
		return nil, nil
	}
	for key, value := range pairs(tree.Docs[0].Body) {
		if scalar(key) == "slots" {
			return key, value
		}
	}
	return nil, nil
}

// keyLine is the line of the key without a value, which would be {} or null.
func keyLine(line string) string {
	key, rest, _ := strings.Cut(line, ":")
	if rest = strings.TrimSpace(rest); rest == "" || strings.HasPrefix(rest, "#") {
		return line
	}
	return key + ":\n"
}

// endOfSection returns the index of the first line that is no part of the
// section whose key stands in column. What is indented less, comments
// included, is about something else, and so are blank lines before that.
func endOfSection(lines []string, from, column int) int {
	end := from
	for i := from; i < len(lines); i++ {
		trimmed := strings.TrimLeft(lines[i], " ")
		if strings.TrimSpace(trimmed) == "" {
			continue
		}
		if len(lines[i])-len(trimmed) < column {
			break
		}
		end = i + 1
	}
	return end
}

// section is what stands below the key slots, by the places there.
type section struct {
	indent string
	lines  map[string]string   // of each place
	above  map[string][]string // comments above each place
	paths  []string            // in order
	below  []string            // comments below the last place
}

// readSection takes lines, the first of which has the number first, apart.
func readSection(lines []string, first int, value ast.Node) section {
	s := section{lines: map[string]string{}, above: map[string][]string{}}
	if m, ok := value.(*ast.MappingNode); ok && m.IsFlowStyle {
		value = nil // {1-1.1: left, …}: none has a line of its own
	}
	at := map[int]string{}
	for key := range pairs(value) {
		pos := key.GetToken().Position
		at[pos.Line] = scalar(key)
		s.indent = strings.Repeat(" ", pos.Column-1)
	}
	for i, line := range lines {
		if path, ok := at[first+i]; ok {
			s.lines[path] = line
			s.above[path], s.below = s.below, nil
			s.paths = append(s.paths, path)
		} else if strings.HasPrefix(strings.TrimSpace(line), "#") {
			s.below = append(s.below, line)
		}
	}
	return s
}

// beside matches the comment beside a slot.
var beside = regexp.MustCompile(`\s+#.*$`)

// with returns the lines of the section with other slots.
func (s section) with(slots Slots, column int) []string {
	if len(s.indent) < column {
		s.indent = strings.Repeat(" ", column+1)
	}
	var out []string
	for _, path := range s.paths {
		if !slices.ContainsFunc(slots, func(slot Slot) bool { return slot.Path == path }) {
			out = append(out, s.above[path]...)
		}
	}
	for _, slot := range slots {
		out = append(out, s.above[slot.Path]...)
		comment := strings.TrimRight(beside.FindString(strings.TrimSuffix(s.lines[slot.Path], "\n")), "\r")
		out = append(out, s.indent+slot.line()+comment+"\n")
	}
	return append(out, s.below...)
}

// commented is the section as the example file has it, to be filled in.
var commented = regexp.MustCompile(`^#\s*slots:\s*$`)

// insertSlots puts the section below the example of one that is commented out;
// nil if there is none.
func insertSlots(lines []string, slots Slots) []string {
	i := slices.IndexFunc(lines, commented.MatchString)
	if i < 0 {
		return nil
	}
	for i < len(lines) && strings.HasPrefix(lines[i], "#") {
		i++
	}
	return slices.Insert(slices.Clone(lines), i, slots.String())
}

func appendSlots(lines []string, slots Slots) []string {
	if len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) != "" {
		lines = append(slices.Clone(lines), "\n")
	}
	return append(slices.Clone(lines), slots.String())
}
