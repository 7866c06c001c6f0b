package main

import (
	"regexp"
	"slices"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/nearest"
)

// The sentences of package flag.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	noValue     = regexp.MustCompile(`^flag needs an argument: -+(.*)$`)
	badValue    = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-+([^:]*): .*$`)
)

// usageError says what is wrong with the flags of a command line.
func usageError(c *cli.Context, err error, _ bool) error {
	switch text := err.Error(); {
	case unknownFlag.MatchString(text):
		name := unknownFlag.FindStringSubmatch(text)[1]
		return usagef("there is no flag --%s%s", name, meant("--", name, flagNames(c.Command.Flags)))
	case noValue.MatchString(text):
		return usagef("--%s wants a value", noValue.FindStringSubmatch(text)[1])
	case badValue.MatchString(text):
		found := badValue.FindStringSubmatch(text)
		return usagef("--%s %s: want %s", found[2], found[1], wantedBy(c, found[2]))
	default:
		return usagef("%w", err)
	}
}

// wantedBy says which values a flag takes.
func wantedBy(c *cli.Context, name string) string {
	flags := c.Command.Flags
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return "another value"
	}
	switch flags[i].(type) {
	case *cli.IntFlag:
		return "a whole number"
	case *cli.DurationFlag:
		return "a time with its unit, such as 20s"
	case *cli.BoolFlag:
		return "no value, --" + name + " alone"
	default:
		return "another value"
	}
}

// noTopic is what the library says where flashd help is asked about a command that
// there is not.
var noTopic = regexp.MustCompile(`^No help topic for '(.*)'$`)

// helpError says it as where such a command is to be run.
func helpError(app *cli.App, err error) error {
	if err == nil || !noTopic.MatchString(err.Error()) {
		return err
	}
	name := noTopic.FindStringSubmatch(err.Error())[1]
	return usagef("there is no command %q%s", name, meant("flashd ", name, commandNames(app.Commands)))
}

func flagNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	return names
}

func commandNames(commands []*cli.Command) (names []string) {
	for _, command := range commands {
		names = append(names, command.Names()...)
	}
	return names
}

// meant asks whether a word that is not among known was to be one that is, which
// people write with prefix.
func meant(prefix, word string, known []string) string {
	if near := nearest.Word(word, known); near != "" {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}
