package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/nvsgen"
)

func nvsInspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show what the firmware sees in the image of a partition, or in that of a whole flash, and what is damaged",
		ArgsUsage: "BIN",
		Flags: []cli.Flag{
			nvsKeysFlag(), nvsPartitionFlag(), showSecretsFlag(),
			&cli.StringFlag{Name: "format", Value: "table", Usage: "table or json"},
		},
		Action: runNVSInspect,
	}
}

func showSecretsFlag() *cli.BoolFlag {
	return &cli.BoolFlag{Name: "show-secrets", Usage: "show the values of passwords, tokens and keys too"}
}

func runNVSInspect(c *cli.Context) error {
	args, err := exactArgs(c, "BIN")
	if err != nil {
		return err
	}
	p, err := openPartition(args[0], c.String("keys"), c.String("partition"))
	if err != nil {
		return err
	}
	show := showable(c)
	switch format := c.String("format"); format {
	case "table":
		return writePartition(c.App.Writer, p, show)
	case "json":
		enc := json.NewEncoder(c.App.Writer)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(partitionJSON(p, show))
	default:
		return usagef("--format %q: want table or json", format)
	}
}

// openPartition parses the NVS partition in a file: that is its image, or one of a
// whole flash with the partition of that label in it.
func openPartition(name, keyFile, label string) (*nvsgen.Partition, error) {
	keys, err := readKeys(keyFile)
	if err != nil {
		return nil, err
	}
	image, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, err := parsePartition(image, keys, label)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func parsePartition(image []byte, keys *nvsgen.Keys, label string) (p *nvsgen.Partition, err error) {
	if isWholeFlash(image) {
		var own *nvsgen.Keys
		if image, own, err = nvsOf(image, label); err != nil {
			return nil, err
		}
		if keys == nil && own != nil {
			p, err = nvsgen.ParseEncrypted(image, own)
			if !errors.Is(err, nvsgen.ErrWrongKeys) {
				return p, err
			}
		}
	} else if label != "" {
		return nil, usagef("--partition %s: it is no image of a whole flash, since it has no partition table at %#x", label, tableOffset)
	}
	if keys != nil {
		return nvsgen.ParseEncrypted(image, keys)
	}
	if p, err = nvsgen.Parse(image); err != nil {
		return nil, err
	}
	return p, checkPages(p)
}

// secretWords are what the name of a secret has in it.
var secretWords = []string{"pass", "secret", "token", "key", "psk", "pswd", "pwd", "pmk", "apsw", "salt", "cred"}

// showable returns the function that tells whether a value may be shown.
func showable(c *cli.Context) func(nvsgen.Entry) bool {
	all := c.Bool("show-secrets")
	return func(e nvsgen.Entry) bool {
		name := strings.ToLower(e.Key)
		return all || !slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(name, w) })
	}
}

func writePartition(w io.Writer, p *nvsgen.Partition, show func(nvsgen.Entry) bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAMESPACE\tKEY\tTYPE\tVALUE")
	for _, e := range p.Entries {
		fmt.Fprintf(tw, "%s\t%s\t%v\t%s\n", e.Namespace, e.Key, e.Value.Type(), shownText(e, show))
	}
	fmt.Fprintln(tw, "\nPAGE\tSTATE\tSEQUENCE\tVERSION\tWRITTEN\tERASED\tEMPTY")
	for _, page := range p.Pages {
		if page.State == nvsgen.Blank {
			fmt.Fprintf(tw, "%d\tblank\n", page.Page)
			continue
		}
		fmt.Fprintf(tw, "%d\t%s\t%d\t%d\t%d\t%d\t%d\n", page.Page, page.State, page.Seq, page.Version, page.Written, page.Erased, page.Empty)
	}
	fmt.Fprintf(tw, "\n%d of %d entries used, %d namespaces\n", p.Stats.Used, p.Stats.Total, p.Stats.Namespaces)
	for _, problem := range p.Problems {
		fmt.Fprintf(tw, "problem: %v\n", problem)
	}
	return tw.Flush()
}

// longestShown is how many bytes of a blob a table shows.
const longestShown = 32

// shownText is a value for the eye, on one line.
func shownText(e nvsgen.Entry, show func(nvsgen.Entry) bool) string {
	if !show(e) {
		return "********"
	}
	switch v := e.Value.(type) {
	case nvsgen.Text:
		return strconv.Quote(string(v))
	case nvsgen.Bytes:
		if len(v) > longestShown {
			return fmt.Sprintf("%x… (%d bytes)", []byte(v[:longestShown]), len(v))
		}
		return fmt.Sprintf("%x (%d bytes)", []byte(v), len(v))
	default:
		return fmt.Sprint(v)
	}
}

// entryJSON is a key with its value: exact numbers and text in value, blobs
// and text that is not UTF-8 in hex. Both are left out of a masked secret.
type entryJSON struct {
	Namespace string  `json:"namespace"`
	Key       string  `json:"key"`
	Type      string  `json:"type"`
	Value     any     `json:"value,omitempty"`
	Hex       *string `json:"hex,omitempty"`
	Length    *int    `json:"length,omitempty"` // of text and blobs, in bytes
	Masked    bool    `json:"masked,omitempty"`
}

type reportJSON struct {
	Entries    []entryJSON            `json:"entries"`
	Namespaces []nvsgen.NamespaceInfo `json:"namespaces"`
	Pages      []nvsgen.PageInfo      `json:"pages"`
	Stats      nvsgen.Stats           `json:"stats"`
	Problems   []nvsgen.Problem       `json:"problems"`
	Refused    string                 `json:"refused,omitempty"` // why the firmware would not open it for writing
	Untouched  bool                   `json:"untouched"`         // the firmware opens it without writing
}

func partitionJSON(p *nvsgen.Partition, show func(nvsgen.Entry) bool) reportJSON {
	r := reportJSON{
		Entries:    []entryJSON{},
		Namespaces: append([]nvsgen.NamespaceInfo{}, p.Namespaces...),
		Pages:      p.Pages,
		Stats:      p.Stats,
		Problems:   append([]nvsgen.Problem{}, p.Problems...),
		Untouched:  p.Untouched,
	}
	if p.Refused != nil {
		r.Refused = p.Refused.Error()
	}
	for _, e := range p.Entries {
		r.Entries = append(r.Entries, newEntryJSON(e, show(e)))
	}
	return r
}

func newEntryJSON(e nvsgen.Entry, show bool) entryJSON {
	j := entryJSON{Namespace: e.Namespace, Key: e.Key, Type: e.Value.Type().String(), Masked: !show}
	var raw []byte
	switch v := e.Value.(type) {
	case nvsgen.Text:
		raw = []byte(v)
	case nvsgen.Bytes:
		raw = v
	default:
		if show {
			j.Value = numberJSON(v)
		}
		return j
	}
	j.Length = new(len(raw))
	switch {
	case !show:
	case e.Value.Type() == nvsgen.TypeString && utf8.Valid(raw):
		j.Value = string(raw)
	default:
		j.Hex = new(hex.EncodeToString(raw))
	}
	return j
}

// numberJSON lets infinities through, which JSON has no number for.
func numberJSON(v nvsgen.Value) any {
	var f float64
	switch v := v.(type) {
	case nvsgen.Float:
		f = float64(v)
	case nvsgen.Double:
		f = float64(v)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return v
}
