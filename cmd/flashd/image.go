package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

// imageCommand works on releases, with no unit and no daemon.
func imageCommand() *cli.Command {
	return &cli.Command{
		Name:  "image",
		Usage: "import, list and check firmware releases",
		Subcommands: []*cli.Command{
			imageImportCommand(), imageListCommand(), imageVerifyCommand(), imageDemoCommand(),
		},
	}
}

// releaseError gives errors about releases their exit codes and hints.
func releaseError(err error) error {
	switch {
	case errors.Is(err, firmware.ErrExists):
		return &exitError{code: exitRefused, err: err}
	case errors.Is(err, firmware.ErrNotFound):
		return withHint(exitFailure, err, "See flashd image list.")
	case errors.Is(err, fs.ErrPermission):
		return withHint(exitFailure, err, ownUser)
	}
	return err
}

// checkChip wants a chip that flashd knows.
func checkChip(_ *cli.Context, name string) error {
	if _, err := flasher.ChipNamed(name); err == nil {
		return nil
	}
	var known []string
	for _, chip := range flasher.Chips {
		known = append(known, chip.Name)
	}
	return usagef("--chip %q: want one of %s", name, strings.Join(known, ", "))
}

func imageListCommand() *cli.Command {
	return &cli.Command{
		Name:   "list",
		Usage:  "list the releases",
		Flags:  []cli.Flag{configFlag(), imagesFlag(), formatFlag()},
		Action: listImages,
	}
}

func listImages(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	dir, err := imagesDir(c)
	if err != nil {
		return err
	}
	list, err := firmware.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(exitFailure, err, "Name the folder with --images, or make it by importing a release.")
	}
	if err != nil {
		return releaseError(err)
	}
	if len(list) == 0 {
		fmt.Fprintf(c.App.ErrWriter, "flashd: there is no release in %s yet; see flashd image import --help\n", dir)
	}
	header := []string{"name", "chip", "project", "version", "flash", "bytes", "source", "imported", "problem"}
	return writeRows(c.App.Writer, c.String("format"), recordsOf(list), header, func(s firmware.Summary) []string {
		if s.Problem != "" {
			return []string{s.Name, "", "", "", "", "", "", "", s.Problem}
		}
		return []string{
			s.Name, s.Chip, s.Project, s.Version, flashText(s.FlashSize), fmt.Sprint(s.Bytes), s.Source,
			s.Imported.Local().Format(time.DateTime), "",
		}
	})
}

// recordsOf is a slice as writeRows wants it.
func recordsOf[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func imageVerifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check a release as the station does before it starts",
		ArgsUsage: "NAME",
		Flags:     []cli.Flag{configFlag(), imagesFlag()},
		Action:    verifyImage,
	}
}

func verifyImage(c *cli.Context) error {
	args, err := exactArgs(c, "NAME")
	if err != nil {
		return err
	}
	dir, err := imagesDir(c)
	if err != nil {
		return err
	}
	r, err := firmware.Load(dir, args[0])
	if err != nil {
		return releaseError(err)
	}
	return describeRelease(c.App.Writer, "good:", r)
}

// imageDemo is the one command on releases that is not about real units.
const imageDemo = "demo"

func imageDemoCommand() *cli.Command {
	return &cli.Command{
		Name:      imageDemo,
		Usage:     "make a release for simulated units",
		ArgsUsage: "[NAME]",
		Description: "It is valid in form and about as large as a real one, but no chip can run it:\n" +
			"its code is that of flashd itself.",
		Flags: []cli.Flag{
			configFlag(), imagesFlag(),
			&cli.StringFlag{Name: "chip", Value: "esp32s3", Usage: "the `CHIP` it is for", Action: checkChip},
			&cli.BoolFlag{Name: "nvs-encrypted", Usage: "with NVS keys of each unit's own, and encrypted NVS"},
		},
		Action: demoImage,
	}
}

func demoImage(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("flashd image demo takes one name at most, got %q as well", c.Args().Get(1))
	}
	name := "demo"
	if c.NArg() == 1 {
		name = c.Args().First()
	}
	dir, err := imagesDir(c)
	if err != nil {
		return err
	}
	makeDemo := firmware.Demo
	if c.Bool("nvs-encrypted") {
		makeDemo = firmware.DemoEncrypted
	}
	r, err := makeDemo(dir, name, c.String("chip"))
	if err != nil {
		return releaseError(err)
	}
	return describeRelease(c.App.Writer, "made", r)
}

// describeRelease says what is in a release and where it goes.
func describeRelease(w io.Writer, done string, r *firmware.Release) error {
	fmt.Fprintf(w, "%s %s: %s for the %s with %s of flash\n", done, r.Name, contentText(r), r.Chip, flashText(r.FlashSize))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range r.Segments {
		fmt.Fprintf(tw, "  %#x\t%s\t%d bytes\t%s\n", s.Offset, s.Name, len(s.Data), s.SHA256[:12])
	}
	how := ""
	if keys := r.NVSKeys; keys != nil {
		how = ", encrypted"
		fmt.Fprintf(tw, "  %#x\t%s\t%d bytes\tnew keys for each unit\n", keys.Offset, keys.Label, keys.Size)
	}
	fmt.Fprintf(tw, "  %#x\t%s\t%d bytes\tmade for each unit from %s%s\n", r.NVS.Offset, r.NVS.Label, r.NVS.Size, strings.Join(r.Uses(), ", "), how)
	return tw.Flush()
}

func contentText(r *firmware.Release) string {
	text := strings.TrimSpace(r.Project + " " + r.Version)
	switch {
	case r.Demo:
		return "a demo for simulated units"
	case text == "":
		return "an application without a description"
	}
	return text
}

func flashText(n int) string { return fmt.Sprintf("%d MiB", n>>20) }
