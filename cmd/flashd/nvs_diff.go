package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/nvsgen"
)

func nvsDiffCommand() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "show the keys that differ between two images, of partitions or of whole flashes; exit 1 if any do",
		ArgsUsage: "A B",
		Flags: []cli.Flag{
			nvsKeysFlag(), nvsPartitionFlag(), showSecretsFlag(),
			&cli.StringFlag{Name: "keys-b", Usage: "`FILE` with the keys of B, if they are others"},
		},
		Action: runNVSDiff,
	}
}

func runNVSDiff(c *cli.Context) error {
	args, err := exactArgs(c, "A", "B")
	if err != nil {
		return err
	}
	keysB := c.String("keys-b")
	if keysB == "" {
		keysB = c.String("keys")
	}
	a, err := openPartition(args[0], c.String("keys"), c.String("partition"))
	if err != nil {
		return err
	}
	b, err := openPartition(args[1], keysB, c.String("partition"))
	if err != nil {
		return err
	}
	show := showable(c)
	changes := nvsgen.Diff(a, b)
	for _, d := range changes {
		line := func(sign string, e nvsgen.Entry) {
			fmt.Fprintf(c.App.Writer, "%s %v %s\n", sign, e, shownText(e, show))
		}
		if d.Old.Value != nil {
			line("-", d.Old)
		}
		if d.New.Value != nil {
			line("+", d.New)
		}
	}
	if len(changes) > 0 {
		keys := "keys"
		if len(changes) == 1 {
			keys = "key"
		}
		return fmt.Errorf("%s and %s differ in %d %s", args[0], args[1], len(changes), keys)
	}
	return nil
}
