package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
)

func releaseFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "release", Usage: "`NAME` of the release to write", DefaultText: "the only one there is"}
}

func diffFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "diff", Usage: "write only what differs from `RELEASE`, which units are believed to hold; one that does not is written whole"}
}

// settings are the configuration with what the command line says over it.
type settings struct {
	*config.Config
	configFile string  // that the configuration is from; "": the defaults
	port       string  // flash: of the unit
	token      string  // flash: file of the bearer token
	unverified string  // flash: who wants a unit in secure download mode written, and why
	simulate   int     // serve: slots of simulated units
	instant    bool    // serve: simulated units take no time
	faults     float64 // serve: share of the simulated units that have one
	seed       uint64  // serve: of which those are
	units      int     // serve: how many to finish
	grace      time.Duration
}

// commonSettings reads the configuration and the flags that serve and flash
// share.
func commonSettings(c *cli.Context) (s settings, err error) {
	if err := noArguments(c); err != nil {
		return s, err
	}
	s.Config, s.configFile, err = configuration(c)
	return s, err
}

func serveSettings(c *cli.Context) (settings, error) {
	s, err := commonSettings(c)
	if err != nil {
		return s, err
	}
	s.simulate, s.instant = c.Int("simulate"), c.Bool("instant")
	s.faults, s.seed = c.Float64("simulate-faults"), c.Uint64("simulate-seed")
	s.units, s.grace = c.Int("units"), c.Duration("grace")
	switch {
	case s.grace < 0:
		err = usagef("--grace %v: want how long units may take to finish, such as 20s", s.grace)
	case s.CheckListen() != nil:
		err = usagef("--listen %q: %v", s.Listen, s.CheckListen())
	case c.IsSet("simulate") && (s.simulate < 1 || s.simulate > 64):
		err = usagef("--simulate %d: want 1 to 64 slots", s.simulate)
	case s.units < 0:
		err = usagef("--units %d: want how many units to finish", s.units)
	case s.instant && s.simulate == 0:
		err = usagef("--instant goes with --simulate")
	case c.IsSet("simulate-faults") && s.simulate == 0, c.IsSet("simulate-seed") && s.faults == 0:
		err = usagef("--simulate-faults goes with --simulate, and --simulate-seed with --simulate-faults")
	case s.faults < 0 || s.faults > 1:
		err = usagef("--simulate-faults %v: want the share of units that have a fault, from 0 to 1", s.faults)
	case s.simulate == 0 && s.configFile == "":
		err = withHint(exitUsage, errors.New("which units to work on, and where their credentials come from, is not said"),
			"Name a configuration with --config flashd.yaml, or try simulated units: flashd serve --simulate 8.")
	}
	return s, err
}

func flashSettings(c *cli.Context) (settings, error) {
	s, err := commonSettings(c)
	if err != nil {
		return s, err
	}
	s.port, s.token = c.String("port"), c.String("token-file")
	if s.port == "" {
		return s, usagef("which port? Add --port, such as --port /dev/ttyACM0; flashd ports lists those there are")
	}
	if err := checkPort(s.port); err != nil {
		return s, err
	}
	if c.IsSet("baud") {
		s.Flasher.Baud = c.Int("baud")
	}
	s.Flasher.Stub = s.Flasher.Stub && !c.Bool("no-stub")
	if c.IsSet("unverified") {
		if s.unverified, err = askedBy(c); err != nil {
			return s, err
		}
	}
	s.BootCheck.Enabled = s.BootCheck.Enabled && !c.Bool("no-boot-check")
	return s, s.setCredentials(c.String("credentials"))
}

// askedBy says for the record who wants something, and why.
func askedBy(c *cli.Context) (_ string, err error) {
	reason, name := c.String("unverified"), c.String("by")
	if strings.TrimSpace(reason) == "" {
		return "", usagef("--unverified wants the reason, for the record")
	}
	if name == "" {
		if name, err = caller(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("by %s: %s", name, reason), nil
}

func (s settings) flasherConfig() station.FlasherConfig {
	return station.FlasherConfig{Baud: s.Flasher.Baud, NoStub: !s.Flasher.Stub, Reset: s.Flasher.Reset}
}

func (s settings) bootCheck() station.BootCheck {
	return station.BootCheck{Enabled: s.BootCheck.Enabled, Limit: s.BootCheck.Timeout}
}

// keyEscrow is the folder that keeps units' NVS keys. Those of simulated units
// are not worth it.
func (s settings) keyEscrow() string {
	if s.simulate > 0 {
		return ""
	}
	return s.NVS.KeyEscrowDir
}

// rescue is the folder of what units' NVS held, while their reworks are under way.
func (s settings) rescue() string { return filepath.Join(s.StateDir, "reworks") }

// loadRelease reads the release to write: the one that is named, or the only
// one there is.
func (s settings) loadRelease() (*firmware.Release, error) {
	name := s.Release
	if name == "" {
		var err error
		if name, err = s.onlyRelease(); err != nil {
			return nil, err
		}
	}
	r, err := firmware.Load(s.ImagesDir, name)
	if errors.Is(err, firmware.ErrNotFound) {
		return nil, withHint(exitFailure, err, "flashd image list shows the releases there are; flashd image import makes one.")
	}
	if err != nil {
		return nil, releaseError(err)
	}
	return r, s.checkRelease(r)
}

// loadPrevious reads the release that units are believed to hold already, if
// one is named.
func (s settings) loadPrevious(r *firmware.Release) (*firmware.Release, error) {
	switch s.PreviousRelease {
	case "":
		return nil, nil //nolint:nilnil // there is none, which is no error
	case r.Name:
		return nil, usagef("--diff %s: that is the release to write; name the one that units hold already", r.Name)
	}
	previous, err := firmware.Load(s.ImagesDir, s.PreviousRelease)
	switch {
	case errors.Is(err, firmware.ErrNotFound):
		return nil, withHint(exitFailure, fmt.Errorf("the release that units are believed to hold: %w", err), "flashd image list shows the releases there are.")
	case err != nil:
		return nil, fmt.Errorf("the release that units are believed to hold: %w", err)
	case previous.Chip != r.Chip:
		return nil, usagef("release %s is for the %s and %s for the %s: units cannot hold the one and get the other", previous.Name, previous.Chip, r.Name, r.Chip)
	}
	return previous, nil
}

// releaseNamed reads a release that units may have from before.
func (s settings) releaseNamed(name string) (*firmware.Release, error) {
	return firmware.Load(s.ImagesDir, name)
}

// checkRelease refuses what would only come to light with the first unit.
func (s settings) checkRelease(r *firmware.Release) error {
	if r.Demo && s.simulate == 0 && !simulated(s.port) {
		return withHint(exitUsage, fmt.Errorf("release %s is for simulated units; no real one would run it", r.Name),
			"Make a release of your own: flashd image import NAME BUILD.")
	}
	if s.Credentials.Source != config.FromDerive || s.simulate > 0 {
		return nil // only with the unit's credentials it is known what they lack
	}
	have := map[string]bool{firmware.MQTTHost: s.Credentials.Derive.MQTTHost != "", firmware.MQTTPort: s.Credentials.Derive.MQTTPort != 0}
	for name, set := range have {
		if !set && slices.Contains(r.Uses(), name) {
			return withHint(exitUsage, fmt.Errorf("the template of release %s wants ${%s}, which the configuration does not give", r.Name, name),
				"Set credentials.derive."+name+" in flashd.yaml.")
		}
	}
	return nil
}

func (s settings) onlyRelease() (string, error) {
	releases, err := firmware.List(s.ImagesDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	switch len(releases) {
	case 0:
		return "", withHint(exitFailure, fmt.Errorf("there is no release in %s", s.ImagesDir),
			"Make one with flashd image import NAME BUILD, or one for simulated units with flashd image demo.")
	case 1:
		return releases[0].Name, nil
	default:
		return "", withHint(exitUsage, fmt.Errorf("there are %d releases in %s", len(releases), s.ImagesDir), "Choose one with --release NAME.")
	}
}
