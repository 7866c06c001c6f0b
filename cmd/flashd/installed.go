package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
)

// packagedConfig is where the Debian package has the configuration. Tests have
// one of their own.
var packagedConfig = "/etc/flashd/flashd.yaml"

// whichStation is the rule by which all commands find the same station.
const whichStation = "Where the record is, where releases are, and all else about a station, a command takes from its flags, else\n" +
	"from flashd.yaml: the file that --config or FLASHD_CONFIG names, else /etc/flashd/flashd.yaml if there is one.\n" +
	"FLASHD_STATE_DIR does for --state-dir. Without any of these the record is in ./state and releases are in\n" +
	"./firmware-images. What is simulated (--simulate, flashd image demo) is kept out of the installed station: it\n" +
	"follows a flashd.yaml only where --config or FLASHD_CONFIG names it."

// environment has the variables that do for flags.
var environment = map[string]string{"config": "FLASHD_CONFIG", "state-dir": "FLASHD_STATE_DIR"}

func configFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "config", Usage: "settings are in `FILE`, a flashd.yaml", DefaultText: "$FLASHD_CONFIG, else /etc/flashd/flashd.yaml if there is one"}
}

// stateDirFlag is where the record and the control socket are.
func stateDirFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "state-dir", Usage: "`DIR` with the record of units and attempts", DefaultText: "$FLASHD_STATE_DIR, else as configured, else state"}
}

func imagesFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "images", Usage: "`DIR` with the releases", DefaultText: "as configured, else firmware-images"}
}

// given returns what the command line says with a flag of the command or of one
// above it, or else the environment.
func given(c *cli.Context, flag string) (value string, ok bool) {
	for _, above := range c.Lineage() {
		if above.Command != nil && above.IsSet(flag) {
			return above.String(flag), true
		}
	}
	value = os.Getenv(environment[flag])
	return value, value != ""
}

// configuration returns the settings that the command works with, its flags
// included, and the file that they are from, "" for the defaults.
func configuration(c *cli.Context) (cfg *config.Config, file string, err error) {
	if file, err = configurationFile(c); err != nil {
		return nil, "", err
	}
	cfg = config.Default()
	if file != "" {
		if cfg, err = config.Load(file); err != nil {
			return nil, "", configError(err)
		}
	}
	for flag, setting := range map[string]*string{
		"state-dir": &cfg.StateDir, "images": &cfg.ImagesDir, "release": &cfg.Release, "diff": &cfg.PreviousRelease, "listen": &cfg.Listen, "log-format": &cfg.Log.Format,
	} {
		if value, ok := given(c, flag); ok {
			*setting = value
		}
	}
	if cfg.StateDir == "" || cfg.ImagesDir == "" {
		return nil, "", usagef("--state-dir and --images: no folder is named")
	}
	return cfg, file, nil
}

// configurationFile is the file that is named, or the packaged one if there is
// one and the command is about units that exist.
func configurationFile(c *cli.Context) (string, error) {
	file, named := given(c, "config")
	switch {
	case named && file == "":
		return "", usagef("--config: no file is named")
	case named, simulates(c):
		return file, nil
	}
	if _, err := os.Stat(packagedConfig); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return packagedConfig, nil
}

// simulates reports whether the command is about units that do not exist.
func simulates(c *cli.Context) bool {
	return c.IsSet("simulate") || simulated(c.String("port")) || c.Command.Name == imageDemo
}

// configError chooses the exit code of a configuration that cannot be used.
func configError(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return withHint(exitFailure, err, ownUser)
	case errors.Is(err, fs.ErrNotExist):
		return withHint(exitUsage, err, "Name a file that there is with --config.")
	default:
		return withHint(exitUsage, err, "flashd.example.yaml explains every key; the package has it in /usr/share/doc/flashd/deploy.")
	}
}

// recordConfig is the configuration of commands that need no more than the
// record. A state directory that is named says all about that: it may be another
// station's.
func recordConfig(c *cli.Context) (*config.Config, error) {
	dir, named := given(c, "state-dir")
	if _, configured := given(c, "config"); named && dir != "" && !configured {
		cfg := config.Default()
		cfg.StateDir = dir
		return cfg, nil
	}
	cfg, _, err := configuration(c)
	return cfg, err
}

// stateDir is the state directory of the command's station.
func stateDir(c *cli.Context) (string, error) {
	cfg, err := recordConfig(c)
	if err != nil {
		return "", err
	}
	return cfg.StateDir, nil
}

// imagesDir is the folder of the command's releases, which as much as the record
// can be named without a configuration.
func imagesDir(c *cli.Context) (string, error) {
	if dir, named := given(c, "images"); named && dir != "" {
		return dir, nil
	}
	cfg, _, err := configuration(c)
	if err != nil {
		return "", err
	}
	return cfg.ImagesDir, nil
}
