package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "look for what would keep the station from working, and say what to do",
		Description: "Changes nothing. Run it as the user that runs the station: sudo -u flashd flashd doctor.\n" +
			"It ends with 1 if something is wrong.",
		Flags: []cli.Flag{configFlag(), stateDirFlag(), imagesFlag(), releaseFlag()},
		Action: func(c *cli.Context) error {
			cfg, err := commonSettings(c)
			if err != nil {
				return err
			}
			return examine(c.Context, c.App.Writer, &patient{settings: cfg, root: "/", now: time.Now()})
		},
	}
}

// patient is a station that is being looked at.
type patient struct {
	settings
	root       string    // of the file system; "/" but in tests
	now        time.Time //
	serverTime time.Time // of the config server, once that was asked; zero if it did not say
}

// A check looks at one thing that the station needs.
type check struct {
	name string
	look func(context.Context, *patient) finding
}

// checks go from what is near to what is far.
var checks = []check{
	{"user", checkUser},
	{"state directory", checkStateDir},
	{"disk", checkDisk},
	{"record", checkStore},
	{"release", checkReleaseLoads},
	{"flasher stub", checkStub},
	{"credentials", checkCredentials},
	{"secrets", checkSecrets},
	{"API", checkAPI},
	{"hooks", checkHooks},
	{"clock", checkClock},
	{"boards", checkBoards},
	{"udev rules", checkRules},
	{"other programs", checkRivals},
	{"USB autosuspend", checkAutosuspend},
}

// grade says how bad a finding is.
type grade string

const (
	good  grade = "ok"
	doubt grade = "look" // may be meant so
	bad   grade = "WRONG"
)

// finding is what a check found: what is so, and, unless it is good, what to do.
type finding struct {
	grade  grade
	text   string
	advice string
}

func fine(format string, args ...any) finding {
	return finding{good, fmt.Sprintf(format, args...), ""}
}

func doubtful(advice, format string, args ...any) finding {
	return finding{doubt, fmt.Sprintf(format, args...), advice}
}

func wrong(advice, format string, args ...any) finding {
	return finding{bad, fmt.Sprintf(format, args...), advice}
}

// wrongAs takes the words and the advice of an error of another verb.
func wrongAs(err error, advice string) finding {
	var e *exitError
	if errors.As(err, &e) && e.hint != "" {
		advice = e.hint
	}
	return wrong(advice, "%s", inWords(err))
}

// examine writes what every check finds.
func examine(ctx context.Context, w io.Writer, p *patient) error {
	ills := 0
	for _, c := range checks {
		f := c.look(ctx, p)
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.grade == bad {
			ills++
		}
		if err := writeFinding(w, c.name, f); err != nil {
			return err
		}
	}
	if ills > 0 {
		return fmt.Errorf("%d of %d checks found something wrong", ills, len(checks))
	}
	return nil
}

func writeFinding(w io.Writer, name string, f finding) error {
	const indent = "                        "
	text := strings.ReplaceAll(f.text, "\n", "\n"+indent)
	if f.advice != "" {
		text += "\n" + indent + f.advice
	}
	_, err := fmt.Fprintf(w, "%-5s  %-15s  %s\n", f.grade, name, text)
	return err
}
