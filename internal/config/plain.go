package config

import (
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// Visit implements ast.Visitor. It notes YAML's anchors, aliases and tags: none
// is followed, and each would be taken for a value.
func (f *file) Visit(node ast.Node) ast.Visitor {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		f.problem(node, "", "anchors, aliases and tags (&, * and ! before a value) are not understood; write the value itself, in quotes if it begins so")
		return nil
	default:
		return f
	}
}

// isLine reports whether people see all of text, in one line. What they do not
// see, such as line breaks, colours of terminals and changes of the writing
// direction, would go on into logs, labels and records.
func isLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) })
}
