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
			if err := noArguments(c); err != nil {
				return err
			}
			page, err := newApp().ToManWithSection(8)
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.App.Writer, page+manualEnd)
			return err
		},
	}
}

// manualEnd is what the commands do not say of themselves.
const manualEnd = `
.SH FILES
.TP
/etc/flashd/flashd.yaml
the configuration; /usr/share/doc/flashd/deploy/flashd.example.yaml explains every key
.TP
/var/lib/flashd
the record (jobs.db), releases (firmware-images), and what units held whose rework is under way (reworks)
.TP
/etc/credstore/flashd.token, flashd.salt, flashd.api-token, flashd.tls.key
secrets that systemd passes on to the service

.SH ENVIRONMENT
.TP
FLASHD_CONFIG
the configuration, in place of /etc/flashd/flashd.yaml
.TP
FLASHD_STATE_DIR
the folder of the record, in place of the configured one

.SH EXIT STATUS
0 done, 1 failure, 2 wrong usage or configuration, 3 no such unit, 4 refused, 5 the record is in use, 6 no daemon, 130 interrupted

.SH EXAMPLES
.nf
sudo \-u flashd flashd doctor
sudo flashd slots learn \-\-names left\-1,left\-2
sudo \-u flashd flashd jobs \-\-outcome fail \-\-since 8h
sudo \-u flashd flashd rework A1B2C3D4E5F6 \-\-reason "broker moved"
flashd flash \-\-port /dev/ttyACM0 \-\-release gateway\-1.4.2 \-\-credentials csv:credentials.csv
.fi
`

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
