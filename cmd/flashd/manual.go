package main

import (
	_ "embed"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name:  "man",
		Usage: "write the manual page: flashd man | man -l -",
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("flashd man takes no arguments, got %q", c.Args().First())
			}
			page, err := newApp().ToManWithSection(8)
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.App.Writer, page)
			return err
		},
	}
}

var (
	//go:embed completion.bash
	bashCompletion string
	//go:embed completion.zsh
	zshCompletion string
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "write the completion of commands and flags for a shell: bash, zsh or fish",
		ArgsUsage: "SHELL",
		Action: func(c *cli.Context) error {
			script, err := completion(c.Args().Slice())
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.App.Writer, script)
			return err
		},
	}
}

func completion(args []string) (string, error) {
	if len(args) != 1 {
		return "", usagef("for which shell? Name one: bash, zsh or fish")
	}
	switch args[0] {
	case "bash":
		return bashCompletion, nil
	case "zsh":
		return zshCompletion, nil
	case "fish":
		script, err := newApp().ToFishCompletion()
		if err != nil {
			return "", fmt.Errorf("fish: %w", err)
		}
		return script, nil
	default:
		return "", usagef("there is no completion for %q; choose bash, zsh or fish", args[0])
	}
}
