package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/nvsgen"
)

func nvsBatchCommand() *cli.Command {
	return &cli.Command{
		Name:      "batch",
		Usage:     "make a partition image for each row of a values file, as mfg_gen.py does",
		ArgsUsage: "TEMPLATE VALUES.csv OUTDIR",
		Description: "TEMPLATE has a row key,type,encoding for each key, with REPEAT behind it if all units\n" +
			"share the value of the first. The images go to OUTDIR/bin, their CSV files to\n" +
			"OUTDIR/csv, and with --keygen their keys to OUTDIR/keys. No file is overwritten.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "size", Value: "0x6000", Usage: "of each partition, in `BYTES`"},
			&cli.StringFlag{Name: "prefix", Value: "nvs", Usage: "`NAME` that all files begin with"},
			&cli.StringFlag{Name: "fileid", Usage: "`KEY` whose value ends the name of a file, instead of a number"},
			&cli.StringFlag{Name: "prefix-num", Usage: "`START,DIGITS` of a number between the two"},
			&cli.BoolFlag{Name: "keygen", Usage: "encrypt each image with keys of its own"},
			nvsVersionFlag(), nvsKeysFlag(), nvsReadOnlyFlag(),
		},
		Action: runNVSBatch,
	}
}

func runNVSBatch(c *cli.Context) error {
	args, err := exactArgs(c, "TEMPLATE", "VALUES.csv", "OUTDIR")
	if err != nil {
		return err
	}
	size, err := parseSize(c.String("size"))
	if err != nil {
		return err
	}
	if c.Bool("keygen") && c.String("keys") != "" {
		return usagef("--keygen and --keys exclude each other")
	}
	opts, err := generateOptions(c)
	if err != nil {
		return err
	}
	units, err := readBatch(args[0], args[1], c.String("fileid"))
	if err != nil {
		return err
	}
	names, err := batchNames(units, c.String("prefix"), c.String("prefix-num"))
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for i, u := range units {
		if c.Bool("keygen") {
			opts.Keys = nvsgen.NewKeys()
			files[filepath.Join("keys", "keys-"+names[i]+".bin")] = opts.Keys.Marshal()
		}
		image, err := nvsgen.Generate(u.Entries, size, opts)
		if err != nil {
			return fmt.Errorf("unit %s: %w", u.ID, err)
		}
		var table bytes.Buffer
		if err := u.WriteCSV(&table); err != nil {
			return err
		}
		files[filepath.Join("bin", names[i]+".bin")] = image
		files[filepath.Join("csv", names[i]+".csv")] = table.Bytes()
	}
	if err := writeBatch(args[2], files); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%d partitions in %s\n", len(units), filepath.Join(args[2], "bin"))
	return nil
}

func readBatch(template, values, id string) ([]nvsgen.BatchUnit, error) {
	t, err := os.ReadFile(template)
	if err != nil {
		return nil, err
	}
	v, err := os.ReadFile(values)
	if err != nil {
		return nil, err
	}
	return nvsgen.ReadBatch(bytes.NewReader(t), bytes.NewReader(v), &nvsgen.BatchOptions{IDColumn: id})
}

// batchNames returns the name of each unit's files, without an extension.
func batchNames(units []nvsgen.BatchUnit, prefix, number string) ([]string, error) {
	start, digits := 0, 0
	if number != "" {
		a, b, _ := strings.Cut(number, ",")
		var errA, errB error
		start, errA = strconv.Atoi(a)
		digits, errB = strconv.Atoi(b)
		if errA != nil || errB != nil || start < 0 || digits < 0 || digits > 20 {
			return nil, usagef("--prefix-num %q: want a start and a number of digits, like 1,6", number)
		}
	}
	seen := map[string]bool{}
	var names []string
	for i, u := range units {
		if u.ID == "" || strings.ContainsAny(u.ID, `/\`+"\x00") {
			return nil, fmt.Errorf("unit %d: %q cannot be part of a file name; choose another --fileid", i+1, u.ID)
		}
		name := prefix + "-" + u.ID
		if number != "" {
			name = fmt.Sprintf("%s-%0*d-%s", prefix, digits, start+i, u.ID)
		}
		if seen[name] {
			return nil, fmt.Errorf("unit %d: %q names an earlier unit too; choose another --fileid", i+1, u.ID)
		}
		seen[name] = true
		names = append(names, name)
	}
	return names, nil
}

// writeBatch writes the files, after a look that none is there yet, so that
// half a batch is not left behind for that reason.
func writeBatch(dir string, files map[string][]byte) error {
	for name := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s exists already; choose another directory or --prefix", filepath.Join(dir, name))
		}
	}
	for name, data := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := createFile(name, data); err != nil {
			return err
		}
	}
	return nil
}
