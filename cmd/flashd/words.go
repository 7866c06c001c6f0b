package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// inWords is what an error says, without the system calls that Go names: people
// know files and addresses.
func inWords(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		text = strings.Replace(text, e.Error(), e.Path+": "+e.Err.Error(), 1)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		text = strings.Replace(text, e.Error(), e.New+": "+e.Err.Error(), 1)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		text = strings.Replace(text, e.Error(), netWords(e), 1)
	}
	return text
}

// netWords leaves out the name of a control socket, which stands for a folder
// that the error names already.
func netWords(e *net.OpError) string {
	cause := e.Err
	if call, ok := errors.AsType[*os.SyscallError](cause); ok {
		cause = call.Err
	}
	if e.Addr == nil || e.Net == "unix" {
		return cause.Error()
	}
	return e.Addr.String() + ": " + cause.Error()
}

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
		return usagef("there is no flag --%s", unknownFlag.FindStringSubmatch(text)[1])
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
	flags := c.App.Flags
	if c.Command != nil {
		flags = c.Command.Flags
	}
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
		return fmt.Sprintf("no value, --%s alone", name)
	default:
		return "another value"
	}
}
