package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/nvsgen"
)

func nvsSetCommand() *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "give a key of a partition image a value, and keep all others",
		ArgsUsage: "BIN NS KEY TYPE VALUE",
		Description: "TYPE is one of u8, i8, u16, i16, u32, i32, u64, i64, string, binary, hex2bin and base64.\n" +
			"With --from the value is read from a file, so that it shows in no list of processes.",
		Flags: []cli.Flag{
			nvsKeysFlag(),
			&cli.StringFlag{Name: "from", Usage: "take the value from `FILE` instead of VALUE"},
		},
		Action: runNVSSet,
	}
}

func runNVSSet(c *cli.Context) error {
	args := c.Args().Slice()
	if from := c.String("from"); from != "" && len(args) == 4 {
		value, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		args = append(args, string(value))
	}
	if len(args) != 5 {
		return usagef("%s wants BIN NS KEY TYPE VALUE, or --from FILE instead of VALUE; it got %d arguments", c.Command.HelpName, c.NArg())
	}
	value, err := nvsgen.ParseValue(args[3], args[4])
	if err != nil {
		return usagef("%w", err)
	}
	return editPartition(args[0], c.String("keys"), func(p *nvsgen.Partition) error {
		return p.Set(nvsgen.Entry{Namespace: args[1], Key: args[2], Value: value})
	})
}

func nvsRemoveCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "take a key out of a partition image, and keep all others",
		ArgsUsage: "BIN NS KEY",
		Flags:     []cli.Flag{nvsKeysFlag()},
		Action: func(c *cli.Context) error {
			args, err := exactArgs(c, "BIN", "NS", "KEY")
			if err != nil {
				return err
			}
			return editPartition(args[0], c.String("keys"), func(p *nvsgen.Partition) error {
				if !p.Remove(args[1], args[2]) {
					return fmt.Errorf("there is no key %s in namespace %s; see flashd nvs inspect", args[2], args[1])
				}
				return nil
			})
		},
	}
}

// editPartition changes the image in a file.
func editPartition(name, keyFile string, change func(*nvsgen.Partition) error) error {
	keys, err := readKeys(keyFile)
	if err != nil {
		return err
	}
	image, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if isWholeFlash(image) {
		return fmt.Errorf("%s is an image of a whole flash: only that of an NVS partition can be changed", name)
	}
	p, err := parsePartition(image, keys, "")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := change(p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if image, err = p.Image(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return replaceFile(name, image)
}
