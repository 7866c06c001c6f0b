package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"hoptech.co.nz/flashd/nvsgen"
)

// vector is a golden case: a line of INDEX.md and its files.
type vector struct {
	dir, name, text string
	size, version   int    // what the reference generator was called with; size 0: it was not
	keyFile         string // likewise; "" for a plain case
}

var (
	indexLine = regexp.MustCompile(`(?m)^- \*\*([\w.]+)\*\*: (.*)$`)
	generated = regexp.MustCompile("`(?:generate|encrypt) \\S+ \\S+ (\\S+)(?: --version (\\d))?(?: --inputkey (\\S+))?`")
)

func loadVectors(dir string) ([]vector, error) {
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.md"))
	if err != nil {
		return nil, fmt.Errorf("golden vectors: %w", err)
	}
	var all []vector
	for _, m := range indexLine.FindAllStringSubmatch(string(index), -1) {
		v := vector{dir: dir, name: m[1], text: m[2], version: 2}
		// The generator of today: that of v4.4.8 has cases of its own.
		if call := generated.FindStringSubmatch(m[2]); call != nil && !strings.Contains(m[2], "nvsgen-v4.4.8.sh") {
			if size, err := strconv.ParseInt(call[1], 0, 32); err == nil {
				v.size = int(size)
			}
			if call[2] == "1" {
				v.version = 1
			}
			v.keyFile = call[3]
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("golden vectors: INDEX.md in %s lists none", dir)
	}
	return all, nil
}

// file returns a file of the case; nil if it has none.
func (v vector) file(suffix string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(v.dir, v.name+suffix))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// request reads what the reference generator was given.
func (v vector) request() (request, error) {
	r := request{size: v.size, version: v.version}
	table, err := v.file(".csv")
	if err != nil {
		return r, err
	}
	r.entries, err = nvsgen.ReadCSV(bytes.NewReader(table), &nvsgen.CSVOptions{
		Open: func(name string) (io.ReadCloser, error) { return os.Open(filepath.Join(v.dir, name)) },
	})
	if err != nil || v.keyFile == "" {
		return r, err
	}
	r.keys, err = v.readKeys(v.keyFile)
	return r, err
}

func (v vector) readKeys(name string) (*nvsgen.Keys, error) {
	b, err := os.ReadFile(filepath.Join(v.dir, name))
	if err != nil {
		return nil, err
	}
	return nvsgen.ParseKeys(b)
}

// keysOf finds the keys among those of the folder that open an image.
func (v vector) keysOf(image []byte) (*nvsgen.Keys, error) {
	names, err := filepath.Glob(filepath.Join(v.dir, "*keys*.bin"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		keys, err := v.readKeys(filepath.Base(name))
		if err != nil {
			continue // one of the bad ones
		}
		if _, err := nvsgen.Decrypt(image, keys); err == nil {
			return keys, nil
		}
	}
	return nil, fmt.Errorf("%s: no keys of the folder open it", v.name)
}

// seen is what Espressif's code says of an image.
type seen struct {
	Encrypted bool
	ReadOnly  bool // the partition was opened so
	Init      struct{ Err string }
	Entries   []struct {
		NS, Key, Type, Err, Hex string
		Value                   json.RawMessage
	}
}

// seen returns nil for cases without.
func (v vector) seen() (*seen, error) {
	text, err := v.file(".json")
	if err != nil || text == nil {
		return nil, err
	}
	s := new(seen)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s.json: %w", v.name, err)
	}
	return s, nil
}

// lines are the entries that the firmware could read.
func (s *seen) lines() (lines []string) {
	for _, e := range s.Entries {
		if e.Err != "" {
			continue
		}
		kind, value := strings.TrimSuffix(e.Type, "_v1"), string(e.Value)
		switch kind {
		case "str", "blob":
			value = e.Hex
		case "float":
			value = rounded(value, 32)
		case "double":
			value = rounded(value, 64)
		}
		lines = append(lines, entryLine(e.NS, e.Key, kind, value))
	}
	return lines
}

func rounded(number string, bits int) string {
	f, err := strconv.ParseFloat(number, bits)
	if err != nil {
		return err.Error()
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}
