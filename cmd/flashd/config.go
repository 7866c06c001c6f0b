package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
)

func configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "check a configuration",
		Subcommands: []*cli.Command{{
			Name:      "check",
			Usage:     "read flashd.yaml and tell all that is wrong with it; flashd doctor looks at what it names, too",
			ArgsUsage: "[FILE]",
			Flags:     []cli.Flag{configFlag()},
			Action:    checkConfig,
		}},
	}
}

func checkConfig(c *cli.Context) error {
	file, err := checkedFile(c)
	if err != nil {
		return err
	}
	cfg, err := config.Load(file)
	if err != nil {
		return configError(err)
	}
	if open := openSecrets(secretFiles(cfg, "/")); len(open) > 0 {
		return withHint(exitUsage, errors.New(strings.Join(open, "\n")), "Whoever has read it may have kept it: think of a new one.")
	}
	fixture := "every board in a slot of its own"
	if n := len(cfg.Slots); n > 0 {
		fixture = fmt.Sprintf("%d slots", n)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s is right: station %s, %s\n", file, cfg.Station, fixture)
	return err
}

// checkedFile is the file that is named, or else the one that the station works with.
func checkedFile(c *cli.Context) (string, error) {
	switch {
	case c.NArg() > 1 || c.NArg() == 1 && c.IsSet("config"):
		return "", usagef("flashd config check takes one file")
	case c.NArg() == 1:
		return c.Args().First(), nil
	}
	file, err := configurationFile(c)
	if err == nil && file == "" {
		err = usagef("which file? flashd config check FILE")
	}
	return file, err
}
