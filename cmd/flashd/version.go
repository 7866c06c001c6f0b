package main

import (
	"fmt"
	"io"
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
			if err := noArguments(c); err != nil {
				return err
			}
			printVersion(c.App.Writer)
			return nil
		},
	}
}

func printVersion(w io.Writer) {
	fmt.Fprintf(w, "flashd %s (%s)\n%s\n", version, runtime.Version(), stubVersion())
}

// stubVersion says whether chips are written by the stub or by their ROM.
func stubVersion() string {
	if _, err := stub.For("esp32s3"); err != nil {
		return "built without the flasher stub: chips are written by their ROM loaders"
	}
	return "esp-flasher-stub " + stub.Version
}
