package main

import (
	"crypto/rand"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/nvsgen"
)

func nvsGenerateKeysCommand() *cli.Command {
	return &cli.Command{
		Name:      "generate-keys",
		Usage:     "make the image of a keys partition (nvs_keys) for encrypted NVS",
		ArgsUsage: "FILE",
		Description: "The keys are random, or derived from an HMAC key as the chips with the HMAC\n" +
			"peripheral do. A file that exists is not overwritten.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "hmac-key", Usage: "derive the keys from the 32 bytes in `FILE`"},
			&cli.StringFlag{Name: "new-hmac-key", Usage: "derive the keys from 32 random bytes, and write those to `FILE`"},
		},
		Action: runNVSGenerateKeys,
	}
}

func runNVSGenerateKeys(c *cli.Context) error {
	args, err := exactArgs(c, "FILE")
	if err != nil {
		return err
	}
	keys, err := chooseKeys(c.String("hmac-key"), c.String("new-hmac-key"))
	if err != nil {
		return err
	}
	return createFile(args[0], keys.Marshal())
}

func chooseKeys(hmacFile, newHMACFile string) (*nvsgen.Keys, error) {
	switch {
	case hmacFile != "" && newHMACFile != "":
		return nil, usagef("--hmac-key and --new-hmac-key exclude each other")
	case hmacFile != "":
		b, err := os.ReadFile(hmacFile)
		if err != nil {
			return nil, err
		}
		keys, err := nvsgen.DeriveKeys(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", hmacFile, err)
		}
		return keys, nil
	case newHMACFile != "":
		b := make([]byte, hmacKeySize)
		rand.Read(b)
		if err := createFile(newHMACFile, b); err != nil {
			return nil, err
		}
		return nvsgen.DeriveKeys(b)
	default:
		return nvsgen.NewKeys(), nil
	}
}
