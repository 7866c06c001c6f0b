package config

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Load reads the file at path over the defaults. Its error is an *Error if the
// file could be read but is not right.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c.resolve(dir)
	return c, nil
}

// resolve makes the paths in c absolute.
func (c *Config) resolve(dir string) {
	for _, p := range []*string{
		&c.StateDir, &c.ImagesDir, &c.API.TokenFile, &c.API.CertFile, &c.API.KeyFile, &c.Credentials.Server.TokenFile, &c.Credentials.Server.CAFile,
		&c.Credentials.Derive.SaltFile, &c.Credentials.CSV.File, &c.NVS.KeyEscrowDir,
		&c.Retention.ArchiveDir,
	} {
		resolve(p, dir)
	}
	for _, command := range c.Hooks.commands() {
		resolve(&command[0], dir)
	}
}

func resolve(path *string, dir string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(dir, *path)
	}
}

func parse(name string, text []byte) (*Config, error) {
	f := &file{name: filepath.Base(name), nodes: map[string]ast.Node{}}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // which some editors put there
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, f.syntaxError(err)
	}
	for _, doc := range tree.Docs {
		ast.Walk(f, doc)
	}
	if len(f.problems) > 0 {
		return nil, &Error{File: f.name, Problems: f.problems}
	}
	c := Default()
	for i, doc := range tree.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.NullType:
		case i > 0:
			f.problem(doc.Body, "", "there is more than one document in the file; remove the line with ---")
		default:
			f.fill(reflect.ValueOf(c).Elem(), doc.Body, "")
		}
	}
	f.check(c)
	if len(f.problems) > 0 {
		return nil, &Error{File: f.name, Problems: f.problems}
	}
	return c, nil
}

// file is a configuration being read.
type file struct {
	name     string
	nodes    map[string]ast.Node // the values that were given, by key path
	problems []Problem
}

// syntaxError returns what the YAML parser met. Only its message is kept: its
// excerpt of the file could show what should not be there.
func (f *file) syntaxError(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return fmt.Errorf("%s: not YAML: %w", f.name, err)
	}
	at := y.GetToken().Position
	return &Error{File: f.name, Problems: []Problem{{Line: at.Line, Column: at.Column, Text: y.GetMessage()}}}
}

// nodeUnmarshaler is what reads its value from the tree by itself.
type nodeUnmarshaler interface{ UnmarshalYAML(ast.Node) error }

// fill sets the fields of the struct dst, whose key path is path, from node.
// A key without a value leaves the default.
func (f *file) fill(dst reflect.Value, node ast.Node, path string) {
	if _, ok := node.(ast.MapNode); !ok {
		f.problem(node, path, "want keys with values below this")
		return
	}
	for key, value := range pairs(node) {
		name := scalar(key)
		at := join(path, name)
		field, ok := fieldOf(dst, name)
		switch {
		case !ok:
			f.unknown(key, dst.Type(), path, name)
		case value.Type() == ast.NullType:
		default:
			f.nodes[at] = value
			f.set(field, value, at)
		}
	}
}

func (f *file) set(field reflect.Value, node ast.Node, path string) {
	ptr := field.Addr().Interface()
	var err error
	switch u, custom := ptr.(nodeUnmarshaler); {
	case custom:
		if err := u.UnmarshalYAML(node); err != nil {
			f.problem(node, path, "%w", err)
		}
		return
	case field.Kind() == reflect.Struct:
		f.fill(field, node, path)
		return
	case field.Kind() == reflect.String:
		// As it is written: a release may be called 1.10.
		if _, isScalar := node.(ast.ScalarNode); isScalar && isLine(scalar(node)) {
			field.SetString(scalar(node))
			return
		}
		err = errors.ErrUnsupported
	case field.Kind() == reflect.Int && node.Type() != ast.IntegerType:
		err = errors.ErrUnsupported // the library would cut 1.5 down to 1
	default:
		err = yaml.NodeToValue(node, ptr)
	}
	if err != nil {
		f.problem(node, path, "want %s", wanted(ptr))
	}
}

// wanted names what fits behind ptr.
func wanted(ptr any) string {
	switch ptr.(type) {
	case *bool:
		return "true or false"
	case *int:
		return "a whole number"
	case *time.Duration:
		return "a duration with its unit, such as 15s or 500ms"
	default:
		return "one line of visible text"
	}
}

// fieldOf returns the field of the struct v that has the key name.
func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// pairs returns the keys and values of a mapping, in order. Anything else has
// none.
func pairs(node ast.Node) iter.Seq2[ast.Node, ast.Node] {
	return func(yield func(key, value ast.Node) bool) {
		m, ok := node.(ast.MapNode)
		if !ok {
			return
		}
		for it := m.MapRange(); it.Next(); {
			if !yield(it.Key(), it.Value()) {
				return
			}
		}
	}
}

// scalar returns a key or value as it is written, so that a slot may be named
// 1 or 007 without quotes. What is empty, or no scalar, gives "".
func scalar(node ast.Node) string {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.NullNode:
		return ""
	case ast.ScalarNode:
		return n.GetToken().Value
	default:
		return ""
	}
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }
