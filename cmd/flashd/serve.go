package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/station"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the station: flash and provision every unit that is plugged in",
		Flags: []cli.Flag{
			configFlag(), stateDirFlag(), imagesFlag(), releaseFlag(), diffFlag(),
			&cli.StringFlag{Name: "listen", Value: config.Default().Listen, Usage: "`ADDR` of the board and the metrics"},
			&cli.IntFlag{Name: "simulate", Usage: "run with `N` slots of simulated units instead of USB"},
			&cli.BoolFlag{Name: "instant", Usage: "with --simulate: chips and operator take no time"},
			&cli.Float64Flag{Name: "simulate-faults", Usage: "with --simulate: `SHARE` of the units that have something wrong with them, such as 0.1"},
			&cli.Uint64Flag{Name: "simulate-seed", Value: 1, Usage: "with --simulate-faults: another `N` has other units be those"},
			&cli.IntFlag{Name: "units", Usage: "stop after `N` finished units and sum up"},
			&cli.DurationFlag{Name: "grace", Value: 20 * time.Second, Usage: "what units under way get to finish when flashd is stopped"},
			logFormatFlag(),
		},
		Action: serve,
	}
}

func serve(c *cli.Context) error {
	cfg, err := serveSettings(c)
	if err != nil {
		return err
	}
	asked := make(chan os.Signal, 2)
	signal.Notify(asked, stopSignals()...)
	defer signal.Stop(asked)
	signal.Ignore(syscall.SIGPIPE) // units do not depend on who reads the log
	reload := newReload(func() (settings, error) { return serveSettings(c) })
	defer reload.end()
	for {
		if err := serveLine(c, cfg, asked, reload); err != nil {
			return err
		}
		next := reload.take()
		if next == nil || c.Err() != nil {
			return nil
		}
		cfg = *next
	}
}

// serveLine runs a line until it is asked to stop, or to begin anew with
// other settings.
func serveLine(c *cli.Context, cfg settings, asked <-chan os.Signal, reload *reload) error {
	live := isTerminal(c.App.Writer) && !c.IsSet("log-format")
	log, closeLog, err := openLog(c.App.ErrWriter, cfg, live)
	if err != nil {
		return err
	}
	defer closeLog()
	line, err := reload.begin(cfg, log)
	if err != nil {
		return err
	}
	defer line.close()
	err = line.run(c.Context, asked, reload, func(views <-chan station.View) {
		if live {
			liveTable(c.App.Writer, views)
		}
	})
	if err != nil {
		return err
	}
	return line.sumUp(c.Context, c.App.Writer)
}

// openLog returns where the log goes: to standard error, or, while the live
// table has the terminal, into a file of the state directory.
func openLog(out io.Writer, cfg settings, live bool) (*slog.Logger, func(), error) {
	done := func() {}
	if live {
		if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("state directory: %w", err)
		}
		f, err := os.OpenFile(filepath.Join(cfg.StateDir, "flashd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("log: %w", err)
		}
		out, done = f, func() { _ = f.Close() } // nothing was kept back
	}
	handler, err := newLogHandler(out, cfg.Log)
	if err != nil {
		done()
		return nil, nil, err
	}
	return slog.New(handler), done, nil
}
