package main

import (
	"fmt"
	"os"

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
	file, err := configFile(c)
	if err != nil {
		return err
	}
	cfg, err := config.Load(file)
	if err != nil {
		return withHint(exitUsage, err, "deploy/flashd.example.yaml explains every key.")
	}
	fixture := "every board in a slot of its own"
	if n := len(cfg.Slots); n > 0 {
		fixture = fmt.Sprintf("%d slots", n)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s is right: station %s, %s\n", file, cfg.Station, fixture)
	return err
}

// configFile is the file that is named, or the packaged one.
func configFile(c *cli.Context) (string, error) {
	switch {
	case c.NArg() > 1 || c.NArg() == 1 && c.IsSet("config"):
		return "", usagef("flashd config check takes one file")
	case c.NArg() == 1:
		return c.Args().First(), nil
	case c.IsSet("config"):
		return c.String("config"), nil
	}
	if _, err := os.Stat(packagedConfig); err != nil {
		return "", usagef("which file? flashd config check FILE")
	}
	return packagedConfig, nil
}
