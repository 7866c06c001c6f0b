package main

import (
	"errors"
	"io/fs"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/firmware"
)

func imageImportCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "make a release of what a build left behind",
		ArgsUsage: "NAME BUILD",
		Description: "BUILD is the build folder of an ESP-IDF project (build), of a PlatformIO environment (.pio/build/ENV)\n" +
			"or of an Arduino sketch (Sketch, Export Compiled Binary: build/BOARD), a folder with an ESP Web Tools\n" +
			"manifest.json, or one .bin of the whole flash, as esptool merge-bin or Arduino (SKETCH.ino.merged.bin) make it.",
		Flags: []cli.Flag{
			configFlag(), imagesFlag(),
			&cli.StringFlag{Name: "chip", Usage: "the `CHIP` that the images have to be for, such as esp32s3", Action: checkChip},
			&cli.StringFlag{Name: "flash-size", Usage: "`SIZE` to write into the bootloader's header, such as 8MB; default: as built"},
			&cli.StringFlag{Name: "template", Usage: "`FILE` with the NVS template; default: nvs.csv in the build's folder or beside its one .bin, or one for the gateway firmware"},
			&cli.BoolFlag{Name: "nvs-encrypted", Usage: "give every unit NVS keys of its own, in the partition nvs_keys, and encrypted NVS"},
		},
		Action: importImage,
	}
}

func importImage(c *cli.Context) error {
	args, err := exactArgs(c, "NAME", "BUILD")
	if err != nil {
		return err
	}
	opts := firmware.ImportOptions{Chip: c.String("chip"), Template: c.String("template"), NVSEncrypted: c.Bool("nvs-encrypted")}
	if text := c.String("flash-size"); text != "" {
		if opts.FlashSize, err = firmware.ParseFlashSize(text); err != nil {
			return usagef("--flash-size: %w", err)
		}
	}
	dir, err := imagesDir(c)
	if err != nil {
		return err
	}
	r, err := firmware.Import(dir, args[0], args[1], opts)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return withHint(exitFailure, err, ownUser+" That user has to be able to read BUILD, too.")
	case err != nil:
		return releaseError(err)
	}
	return describeRelease(c.App.Writer, "imported", r)
}
