package config

import (
	"errors"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// Slots is the fixture: its slots in the order of the file.
type Slots []Slot

// A Slot is one nest of the fixture.
type Slot struct {
	Path string // USB topology path: "1-1.2"
	Name string // as written beside the nest: "3", "left-2"
}

// Name returns the name of the slot at path. Without any slots each path is a
// slot named by itself; with some, a path that is not listed is none.
func (s Slots) Name(path string) (name string, ok bool) {
	if len(s) == 0 {
		return path, true
	}
	i := slices.IndexFunc(s, func(slot Slot) bool { return slot.Path == path })
	if i < 0 {
		return "", false
	}
	return s[i].Name, true
}

// UnmarshalYAML keeps the order of the file, which a map would lose.
func (s *Slots) UnmarshalYAML(node ast.Node) error {
	if _, ok := node.(ast.MapNode); !ok {
		return errors.New("want lines such as 1-1.2: left")
	}
	*s = nil
	for key, value := range pairs(node) {
		*s = append(*s, Slot{Path: scalar(key), Name: scalar(value)})
	}
	return nil
}

// checkSlots looks for paths that are none, and for paths and names used twice.
func (f *file) checkSlots() {
	paths, names := map[string]bool{}, map[string]int{}
	for key, value := range pairs(f.nodes["slots"]) {
		path, name := scalar(key), scalar(value)
		at := join("slots", path)
		switch {
		case !hotplug.ValidPath(path):
			f.problem(key, at, "%q is no USB path; write BUS-PORT.PORT, such as 1-1.2, as flashd ports shows it", path)
		case paths[path]: // beside the parser: 1-1 and "1-1"
			f.problem(key, at, "this path has a slot already")
		case name == "":
			f.problem(key, at, "give the slot a name")
		case !isLine(name):
			f.problem(value, at, "want one line of visible text")
		case names[name] > 0:
			f.problem(value, at, "the slot in line %d is called %q already", names[name], name)
		}
		paths[path], names[name] = true, key.GetToken().Position.Line
	}
}
