package config

import (
	"errors"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Hooks are programs that are run when something happens in a slot.
type Hooks struct {
	Attach  Command       `yaml:"attach"`  // work on a unit begins
	Pass    Command       `yaml:"pass"`    // it is provisioned
	Fail    Command       `yaml:"fail"`    // it is faulty
	Error   Command       `yaml:"error"`   // the rig or its surroundings are
	Refused Command       `yaml:"refused"` // it must not be written
	Detach  Command       `yaml:"detach"`  // it was taken out
	Timeout time.Duration `yaml:"timeout"` // what each run gets
}

// A Command is a program and its arguments; none: nothing is run.
type Command []string

// UnmarshalYAML reads the words as they are written.
func (c *Command) UnmarshalYAML(node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return errors.New("want a list of a program and its arguments, such as [/usr/local/bin/label, --small]; there is no shell")
	}
	*c = nil
	for _, value := range list.Values {
		if _, isScalar := value.(ast.ScalarNode); !isScalar {
			return errors.New("want words only in the list")
		}
		*c = append(*c, scalar(value))
	}
	if len(*c) == 0 || (*c)[0] == "" {
		return errors.New("name a program, or leave the key out")
	}
	return nil
}

// commands are those that there are.
func (h *Hooks) commands() []Command {
	all := []Command{h.Attach, h.Pass, h.Fail, h.Error, h.Refused, h.Detach}
	return slices.DeleteFunc(all, func(c Command) bool { return len(c) == 0 })
}

// Any reports whether there is a command.
func (h *Hooks) Any() bool { return len(h.commands()) > 0 }
