package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// interspersed moves flags in front of the other arguments of their command,
// so that `flashd rework UNIT --reason TEXT` works: cli/v2 stops looking for
// flags at the first argument that is none.
func interspersed(app *cli.App, args []string) []string {
	if len(args) == 0 || args[len(args)-1] == "--generate-bash-completion" {
		return args // a shell asks, with a word that has to stay the last
	}
	out, rest := []string{args[0]}, args[1:]
	commands, flags := app.Commands, app.Flags
	var plain []string
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		switch {
		case arg == "--":
			return append(append(append(out, plain...), "--"), rest...)
		case strings.HasPrefix(arg, "-") && arg != "-" && !negativeNumber(arg):
			out = append(out, arg)
			if takesValue(flags, arg) && len(rest) > 0 {
				out, rest = append(out, rest[0]), rest[1:]
			}
		case len(plain) == 0 && commandNamed(commands, arg) != nil:
			command := commandNamed(commands, arg)
			out = append(out, arg)
			commands, flags = command.Subcommands, command.Flags
		default:
			plain = append(plain, arg)
		}
	}
	return append(out, plain...)
}

// negativeNumber reports whether arg is a value such as -5 and no flag.
func negativeNumber(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && arg[1] >= '0' && arg[1] <= '9'
}

func commandNamed(commands []*cli.Command, name string) *cli.Command {
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(name) })
	if i < 0 {
		return nil
	}
	return commands[i]
}

// takesValue reports whether the argument after arg is arg's value.
func takesValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}

// noArguments refuses arguments of a command that takes none.
func noArguments(c *cli.Context) error {
	if c.NArg() == 0 {
		return nil
	}
	got := c.Args().First()
	return usagef("%s takes no arguments, got %q%s", c.Command.HelpName, got, meant(c.Command.HelpName+" ", got, commandNames(c.Command.Subcommands)))
}
