package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/nvsgen"
)

// nvsCommand works on images of NVS partitions, with no unit and no daemon.
func nvsCommand() *cli.Command {
	return &cli.Command{
		Name:  "nvs",
		Usage: "make, look into and change images of NVS partitions",
		Subcommands: []*cli.Command{
			nvsGenerateCommand(), nvsInspectCommand(), nvsDiffCommand(), nvsSetCommand(),
			nvsRemoveCommand(), nvsGenerateKeysCommand(), nvsBatchCommand(),
		},
	}
}

func nvsGenerateCommand() *cli.Command {
	return &cli.Command{
		Name:      "generate",
		Usage:     "make a partition image from a CSV file in Espressif's columns",
		ArgsUsage: "CSV BIN SIZE",
		Flags:     []cli.Flag{nvsVersionFlag(), nvsKeysFlag(), nvsReadOnlyFlag()},
		Action:    runNVSGenerate,
	}
}

func runNVSGenerate(c *cli.Context) error {
	args, err := exactArgs(c, "CSV", "BIN", "SIZE")
	if err != nil {
		return err
	}
	size, err := parseSize(args[2])
	if err != nil {
		return err
	}
	opts, err := generateOptions(c)
	if err != nil {
		return err
	}
	table, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	entries, err := nvsgen.ReadCSV(bytes.NewReader(table), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	image, err := nvsgen.Generate(entries, size, opts)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := replaceFile(args[1], image); err != nil {
		return err
	}
	if size < nvsgen.MinSize {
		fmt.Fprintf(c.App.ErrWriter, "flashd: a partition under %#x bytes has to be marked readonly in the partition table\n", nvsgen.MinSize)
	}
	return nil
}

func nvsVersionFlag() *cli.IntFlag {
	return &cli.IntFlag{Name: "version", Value: 2, Usage: "`N` of the format: 1 for firmware before ESP-IDF 3.2, else 2"}
}

func nvsKeysFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "keys", Usage: "`FILE` with the keys of an encrypted partition: an nvs_keys image, or the 32 bytes of an HMAC key"}
}

func nvsReadOnlyFlag() *cli.BoolFlag {
	return &cli.BoolFlag{Name: "read-only", Usage: "use the last page too, for a partition marked readonly"}
}

func generateOptions(c *cli.Context) (*nvsgen.Options, error) {
	keys, err := readKeys(c.String("keys"))
	if err != nil {
		return nil, err
	}
	return &nvsgen.Options{Version: c.Int("version"), ReadOnly: c.Bool("read-only"), Keys: keys}, nil
}

// hmacKeySize is that of a key for the HMAC peripheral: an eFuse block.
const hmacKeySize = 32

// readKeys reads the keys in a file; there are none without a name.
func readKeys(name string) (*nvsgen.Keys, error) {
	if name == "" {
		return nil, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	parse := nvsgen.ParseKeys
	if len(b) == hmacKeySize {
		parse = nvsgen.DeriveKeys
	}
	keys, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// exactArgs returns the arguments if there are as many as names.
func exactArgs(c *cli.Context, names ...string) ([]string, error) {
	args := c.Args().Slice()
	switch {
	case len(args) == len(names):
		return args, nil
	case len(names) == 1:
		return nil, usagef("%s wants one argument, %s, and got %d", c.Command.HelpName, c.Command.ArgsUsage, len(args))
	default:
		return nil, usagef("%s wants %d arguments, %s, and got %d", c.Command.HelpName, len(names), c.Command.ArgsUsage, len(args))
	}
}

// parseSize reads a number of bytes, decimal or with 0x.
func parseSize(text string) (int, error) {
	n, err := strconv.ParseInt(text, 0, 32)
	if err != nil {
		return 0, usagef("size %q is not a number of bytes; write it like 0x5000 or 20480", text)
	}
	return int(n), nil
}

// replaceFile writes a file that may hold secrets, so that it is the old or
// the new one whenever the power goes.
func replaceFile(name string, data []byte) error {
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".flashd-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails once it is renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// createFile writes a file with secrets that must not exist yet.
func createFile(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
