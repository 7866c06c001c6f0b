package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

func simulateCommand() *cli.Command {
	return &cli.Command{
		Name:  "simulate",
		Usage: "be a chip on a pseudo terminal or socket, for any flashing tool",
		Description: "Prints the name of the port, as esptool's --port takes it, and serves until interrupted.\n" +
			"A client of --pty or --listen has no DTR and RTS: it finds the chip in download mode, each\n" +
			"time it connects. --rfc2217 carries the lines too, so that a client resets the chip itself.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chip", Value: "esp32s3", Usage: "kind of `CHIP`: " + strings.Join(modelNames(), ", ")},
			&cli.StringFlag{Name: "mac", Value: "7C:DF:A1:00:00:01", Usage: "base `MAC` in its efuses"},
			&cli.StringFlag{Name: "flash", Usage: "`FILE` with the flash's content, created blank when missing; default: memory"},
			&cli.StringFlag{Name: "flash-size", Value: "8MB", Usage: "`SIZE` of the flash"},
			&cli.BoolFlag{Name: "usb-jtag", Usage: "wire it as the chip's own USB-Serial/JTAG, not as a UART bridge (esptool over --rfc2217 cannot see that: give it --before usb-reset)"},
			&cli.BoolFlag{Name: "fast", Usage: "let line and flash take no time"},
			&cli.StringSliceFlag{Name: "fault", Usage: "what goes wrong, as `KIND`[,FIELD=VALUE...]: stall,op=0x11,nth=3,for=5s (repeatable; help lists the kinds)"},
			&cli.BoolFlag{Name: "verbose", Usage: "tell on standard error what the chip does"},
			&cli.BoolFlag{Name: "pty", Usage: "serve a new pseudo terminal"},
			&cli.StringFlag{Name: "listen", Usage: "serve raw bytes on a TCP `ADDR`ess"},
			&cli.StringFlag{Name: "rfc2217", Usage: "serve RFC 2217 on a TCP `ADDR`ess"},
		},
		Action: func(c *cli.Context) error {
			if slices.Contains(c.StringSlice("fault"), "help") {
				return listFaults(c.App.Writer)
			}
			cfg, err := simulatedUnit(c)
			if err != nil {
				return err
			}
			if cfg.Flash != nil {
				defer cfg.Flash.Close()
			}
			return serveSimulated(c, cfg)
		},
	}
}

// listFaults tells what --fault takes.
func listFaults(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tFIELDS\tEFFECT")
	for _, u := range espsim.FaultUsages() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", u.Kind, strings.Join(u.Fields, ","), u.Effect)
	}
	fmt.Fprintln(table, "\nop is the opcode of a command (all, when left out), nth the how many-th such command strikes\n"+
		"first (1), times how often (1; -1 for ever), byte a position in what the host sends, from 0.")
	return table.Flush()
}

func modelNames() []string {
	var names []string
	for _, m := range espsim.Models() {
		names = append(names, m.Name)
	}
	return names
}

// simulatedUnit reads the flags that describe the unit.
func simulatedUnit(c *cli.Context) (cfg espsim.Config, err error) {
	if c.Args().Present() {
		return cfg, usagef("simulate takes no arguments, got %q", c.Args().First())
	}
	model, known := espsim.ModelNamed(c.String("chip"))
	if !known {
		return cfg, usagef("--chip %s: not a chip that can be simulated; choose from %s", c.String("chip"), strings.Join(modelNames(), ", "))
	}
	mac, err := flasher.ParseMAC(c.String("mac"))
	if err != nil {
		return cfg, usagef("--mac: %w", err)
	}
	size, err := parseFlashSize(c.String("flash-size"))
	if err != nil {
		return cfg, usagef("--flash-size: %w", err)
	}
	cfg = espsim.Config{Model: model, MAC: mac}
	if c.Bool("usb-jtag") {
		if model.Console.USBSerialJTAG == 0 {
			return cfg, usagef("--usb-jtag: %s has no USB-Serial/JTAG unit", model.Name)
		}
		cfg.Wiring = espsim.USBSerialJTAG
	}
	if !c.Bool("fast") {
		cfg.Timing = espsim.Realistic(cfg.Wiring)
	}
	for _, s := range c.StringSlice("fault") {
		f, err := espsim.ParseFault(s)
		if err != nil {
			return cfg, usagef("--fault: %w", err)
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	if c.Bool("verbose") {
		cfg.Logf = log.New(c.App.ErrWriter, "", log.Ltime|log.Lmicroseconds).Printf
	}
	if path := c.String("flash"); path != "" {
		cfg.Flash, err = espsim.OpenFlash(path, size)
		return cfg, err
	}
	cfg.Flash = espsim.NewFlash(size)
	return cfg, nil
}

// parseFlashSize reads sizes as esptool writes them: 8MB.
func parseFlashSize(s string) (int, error) {
	digits := strings.TrimSuffix(strings.ToUpper(s), "MB")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > 128 {
		return 0, fmt.Errorf("%q: want a size such as 8MB", s)
	}
	return n << 20, espsim.CheckFlashSize(n << 20)
}

// serveSimulated serves the unit on the one transport that was asked for.
func serveSimulated(c *cli.Context, cfg espsim.Config) error {
	chosen := 0
	for _, name := range []string{"pty", "listen", "rfc2217"} {
		if c.IsSet(name) {
			chosen++
		}
	}
	if chosen != 1 {
		return usagef("simulate needs one of --pty, --listen ADDR and --rfc2217 ADDR")
	}
	switch {
	case c.Bool("pty"):
		return servePTY(c, cfg)
	case c.IsSet("listen"):
		return serveTCP(c, cfg, "socket", c.String("listen"), (*espsim.Chip).ServeSocket)
	default:
		return serveTCP(c, cfg, "rfc2217", c.String("rfc2217"), (*espsim.Chip).ServeRFC2217)
	}
}

func servePTY(c *cli.Context, cfg espsim.Config) error {
	terminal, err := espsim.OpenPTY()
	if err != nil {
		return err
	}
	defer terminal.Close()
	chip := espsim.New(cfg)
	defer chip.Close()
	fmt.Fprintln(c.App.Writer, terminal.Name())
	return chip.ServePTY(c.Context, terminal)
}

func serveTCP(c *cli.Context, cfg espsim.Config, scheme, address string,
	serve func(*espsim.Chip, context.Context, net.Listener) error,
) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return withHint(exitFailure, fmt.Errorf("cannot listen: %w", err), "Give a free address such as 127.0.0.1:0.")
	}
	defer listener.Close()
	chip := espsim.New(cfg)
	defer chip.Close()
	fmt.Fprintf(c.App.Writer, "%s://%s\n", scheme, listener.Addr())
	return serve(chip, c.Context, listener)
}
