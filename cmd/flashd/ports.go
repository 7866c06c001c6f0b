package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/serialport"
)

func portsCommand() *cli.Command {
	return &cli.Command{
		Name:   "ports",
		Usage:  "show the boards that are plugged in behind which hub, their slots, and who holds their ports",
		Flags:  []cli.Flag{configFlag(), formatFlag()},
		Action: listPorts,
	}
}

func listPorts(c *cli.Context) error {
	cfg, err := commonSettings(c)
	if err != nil {
		return err
	}
	return showPorts(c.Context, c.App.Writer, everything(), cfg.Config, c.String("format"))
}

// showPorts writes what l lists. Where there is nothing, people are told why
// that may be, and machines get an empty list.
func showPorts(ctx context.Context, w io.Writer, l hotplug.Lister, cfg *config.Config, format string) error {
	devices, err := l.List(ctx)
	if err != nil && !errors.Is(err, hotplug.ErrNoUSB) {
		return err
	}
	ports := portsOf(devices, cfg)
	if len(ports) == 0 && format == "table" {
		_, err := fmt.Fprintf(w, "no serial devices found: %s\n", whyNone(devices, err))
		return err
	}
	if format == "table" {
		return writeTable(w, all(treeOf(ports, devices)), portColumns, treeRow)
	}
	return writeRows(w, format, all(ports), portColumns, portRow)
}

// treeOf puts the hubs above the boards behind them.
func treeOf(ports []port, devices []hotplug.Device) []port {
	tree := slices.Clone(ports)
	for _, d := range devices {
		if slices.ContainsFunc(ports, func(p port) bool { return strings.HasPrefix(p.Path, d.Path+".") }) {
			tree = append(tree, port{Path: d.Path, Hub: hotplug.Hub(d.Path), ID: d.ID().String(), Serial: d.Serial, Product: d.Product, Note: "hub"})
		}
	}
	slices.SortStableFunc(tree, func(a, b port) int { return hotplug.ComparePaths(a.Path, b.Path) })
	return tree
}

// treeRow indents a path by the hubs that it is behind.
func treeRow(p port) []string {
	row := portRow(p)
	row[0] = strings.Repeat("  ", strings.Count(p.Path, ".")) + row[0]
	return row
}

// whyNone says what may be the reason that no board is listed.
func whyNone(devices []hotplug.Device, err error) string {
	switch {
	case err != nil:
		return "this machine has no USB; in a container or virtual machine, pass the USB devices through"
	case len(devices) == 0:
		return "nothing is plugged in; check the cable (some carry power only), the hub and its supply"
	default:
		return fmt.Sprintf("USB devices are plugged in (%d), but none is a board; check that the cable carries data", len(devices))
	}
}

// port is one board as flashd ports shows it.
type port struct {
	Path    string `json:"path"`           // USB topology path
	Hub     string `json:"hub"`            // path of the hub that it is behind
	Slot    string `json:"slot,omitempty"` // its name; "" if the path is no slot
	ID      string `json:"id,omitempty"`   // VID:PID
	Serial  string `json:"serial,omitempty"`
	Product string `json:"product,omitempty"`
	TTY     string `json:"tty,omitempty"`
	Holder  string `json:"holder,omitempty"` // who has the tty open
	Note    string `json:"note,omitempty"`   // why flashd would not use it
}

var portColumns = []string{"path", "slot", "id", "serial", "product", "tty", "holder", "note"}

func portRow(p port) []string {
	return dashed(p.Path, p.Slot, p.ID, p.Serial, p.Product, p.TTY, p.Holder, p.Note)
}

// dashed puts a dash where there is nothing, so that columns can be counted.
func dashed(row ...string) []string {
	for i, cell := range row {
		if cell == "" {
			row[i] = "-"
		}
	}
	return row
}

// portsOf picks the boards from devices, and whatever else has a tty: it may be
// a board with a bridge that flashd.yaml has to accept.
func portsOf(devices []hotplug.Device, cfg *config.Config) []port {
	accepted := hotplug.KnownOr(cfg.USB.Accept...)
	slices.SortFunc(devices, func(a, b hotplug.Device) int { return hotplug.ComparePaths(a.Path, b.Path) })
	var ports []port
	for _, d := range devices {
		if !accepted(d.ID()) && d.TTY == "" {
			continue
		}
		slot, isSlot := cfg.Slots.Name(d.Path)
		ports = append(ports, port{
			Path: d.Path, Hub: hotplug.Hub(d.Path), Slot: slot, ID: d.ID().String(), Serial: d.Serial, Product: d.Product, TTY: d.TTY,
			Holder: holders(d.TTY), Note: noteOn(d, accepted(d.ID()), isSlot),
		})
	}
	return ports
}

// noteOn says why flashd would not use a board, or "".
func noteOn(d hotplug.Device, accepted, isSlot bool) string {
	switch {
	case !accepted:
		return fmt.Sprintf("not known as a board; add %s to usb.accept if it is one", strings.ToLower(d.ID().String()))
	case d.TTY == "":
		return "no driver has made a tty; is cdc_acm, cp210x, ch341 or ftdi_sio there?"
	}
	switch err := unix.Access(d.TTY, unix.R_OK|unix.W_OK); {
	case errors.Is(err, fs.ErrNotExist):
		return "its tty is not in /dev; in a container, pass it through"
	case err != nil:
		return "this user may not open it; see 60-flashd.rules"
	case !isSlot:
		return "not a slot"
	default:
		return ""
	}
}

func holders(tty string) string {
	if tty == "" {
		return ""
	}
	var names []string
	for _, p := range serialport.Holders(tty) {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// all is a sequence of records that can no longer fail.
func all[T any](records []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}
