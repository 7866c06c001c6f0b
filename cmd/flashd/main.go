// Flashd is the daemon of an unattended ESP32 flashing and provisioning rig.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who asks twice does not want to wait
	app := newApp()
	return report(app.ErrWriter, app.RunContext(ctx, interspersed(app, os.Args)))
}

func newApp() *cli.App {
	return &cli.App{
		Name:                   "flashd",
		Usage:                  "flash, provision and record ESP32 units as they are plugged in",
		HideVersion:            true,
		UseShortOptionHandling: true,
		ErrWriter:              os.Stderr,
		// report() prints errors and chooses the exit code, not the library.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("%w", err)
		},
		Commands: []*cli.Command{
			serveCommand(), flashCommand(), reworkCommand(), jobsCommand(), unitsCommand(),
			imageCommand(), nvsCommand(), portsCommand(), simulateCommand(), versionCommand(),
		},
	}
}
