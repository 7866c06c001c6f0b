package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/hotplug/libusb"
)

func slotsCommand() *cli.Command {
	return &cli.Command{
		Name:        "slots",
		Usage:       "list the slots of the fixture and what is in them, or find out which they are",
		Flags:       []cli.Flag{configFlag(), formatFlag()},
		Action:      listSlots,
		Subcommands: []*cli.Command{slotsLearnCommand()},
	}
}

func listSlots(c *cli.Context) error {
	cfg, err := commonSettings(c)
	if err != nil {
		return err
	}
	return showSlots(c.Context, c.App.Writer, everything(), cfg.Config, c.String("format"))
}

// everything lists what is plugged in, boards or not.
func everything() hotplug.Lister {
	return libusb.New(&hotplug.Sysfs{Accept: anyID, Patient: true})
}

func anyID(hotplug.ID) bool { return true }

// showSlots writes the configured slots, in order, with what l lists there.
func showSlots(ctx context.Context, w io.Writer, l hotplug.Lister, cfg *config.Config, format string) error {
	if len(cfg.Slots) == 0 && format == "table" {
		_, err := fmt.Fprintln(w, "no slots are configured, so every board is in a slot of its own; flashd slots learn finds them out")
		return err
	}
	devices, err := l.List(ctx)
	if err != nil && !errors.Is(err, hotplug.ErrNoUSB) {
		return err
	}
	ports := portsOf(devices, cfg)
	slots := []port{}
	for _, s := range cfg.Slots {
		i := slices.IndexFunc(ports, func(p port) bool { return p.Path == s.Path })
		if i < 0 {
			slots = append(slots, port{Path: s.Path, Hub: hotplug.Hub(s.Path), Slot: s.Name, Note: "empty"})
		} else {
			slots = append(slots, ports[i])
		}
	}
	return writeRows(w, format, all(slots), slotColumns, slotRow)
}

var slotColumns = []string{"slot", "path", "id", "serial", "product", "tty", "holder", "note"}

func slotRow(p port) []string {
	return dashed(p.Slot, p.Path, p.ID, p.Serial, p.Product, p.TTY, p.Holder, p.Note)
}
