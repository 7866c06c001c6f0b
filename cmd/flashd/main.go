// Flashd is the daemon of an unattended ESP32 flashing and provisioning rig.
package main

import (
	"context"
	"os"
	"os/signal"
	"time"

	"github.com/urfave/cli/v2"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(askedOnce, stop) })
	app := newApp()
	return report(app.ErrWriter, helpError(app, app.RunContext(ctx, interspersed(app, os.Args))))
}

func newApp() *cli.App {
	app := &cli.App{
		Name:                 "flashd",
		Usage:                "flash, provision and record ESP32 units as they are plugged in",
		Description:          whichStation,
		HideVersion:          true, // the library's; ours says more
		Flags:                []cli.Flag{&cli.BoolFlag{Name: "version", Usage: "say which flashd this is"}},
		EnableBashCompletion: true,
		// What is set or goes wrong may have commas in it.
		DisableSliceFlagSeparator: true,
		ErrWriter:                 os.Stderr,
		// report prints errors and chooses the exit code, not the library.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Action:         noSuchCommand,
		Commands: []*cli.Command{
			serveCommand(), flashCommand(), reworkCommand(), jobsCommand(), unitsCommand(),
			imageCommand(), nvsCommand(), portsCommand(), slotsCommand(), simulateCommand(), manCommand(), completionCommand(), configCommand(), doctorCommand(), versionCommand(),
		},
	}
	explain(app.Commands)
	return app
}

// explain has every command report wrong flags and subcommands as the app does.
func explain(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		if len(c.Subcommands) > 0 && c.Action == nil {
			c.Action = noSuchCommand
		}
		explain(c.Subcommands)
	}
}

// noSuchCommand is what runs where only a subcommand makes sense.
func noSuchCommand(c *cli.Context) error {
	if c.Bool("version") {
		printVersion(c.App.Writer)
		return nil
	}
	if c.NArg() == 0 {
		if c.Command == nil || len(c.Lineage()) <= 2 {
			return cli.ShowAppHelp(c)
		}
		return cli.ShowSubcommandHelp(c)
	}
	commands := c.App.Commands
	if len(c.Lineage()) > 2 {
		commands = c.Command.Subcommands
	}
	return usagef("there is no command %q%s", c.Args().First(), meant(c.Command.HelpName+" ", c.Args().First(), commandNames(commands)))
}
