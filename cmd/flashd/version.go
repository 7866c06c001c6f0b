package main

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher/stub"
)

// version is set by the linker (see the Makefile).
var version = "dev"

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "say which flashd this is",
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("flashd version takes no arguments, got %q", c.Args().First())
			}
			fmt.Fprintf(c.App.Writer, "flashd %s (%s)\n%s\n", version, runtime.Version(), stubVersion())
			return nil
		},
	}
}

// stubVersion says whether chips are written by the stub or by their ROM.
func stubVersion() string {
	if _, err := stub.For("esp32s3"); err != nil {
		return "built without the flasher stub: chips are written by their ROM loaders"
	}
	return "esp-flasher-stub " + stub.Version
}
