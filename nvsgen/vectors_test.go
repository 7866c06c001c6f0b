package nvsgen_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

// vector is one golden case: a line of INDEX.md and its files.
type vector struct {
	dir, name, text string

	// What the reference generator was called with; size is 0 for cases that
	// it did not make.
	size     int
	sizeText string
	version  int
	keyFile  string
}

// vectorDir is the folder of golden cases. They are the work of others and so
// not in the tree.
func vectorDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FLASHD_NVS_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "nvs-vectors")
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.md")); err != nil {
		t.Fatalf("no golden NVS vectors (%v): put the folder nvs-vectors beside the checkout as ../shared/nvs-vectors, or name it in FLASHD_NVS_VECTORS", err)
	}
	return dir
}

var (
	indexLine = regexp.MustCompile(`(?m)^- \*\*([\w.]+)\*\*: (.*)$`)
	generated = regexp.MustCompile("`(?:generate|encrypt) \\S+ \\S+ (\\S+)(?: --version (\\d))?(?: --inputkey (\\S+))?`")
)

// loadVectors reads the index of the golden cases.
func loadVectors(t testing.TB) []vector {
	t.Helper()
	dir := vectorDir(t)
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for _, m := range indexLine.FindAllStringSubmatch(string(index), -1) {
		v := vector{dir: dir, name: m[1], text: m[2], version: 2}
		if call := generated.FindStringSubmatch(m[2]); call != nil {
			size, err := strconv.ParseInt(call[1], 0, 32)
			v.sizeText = call[1]
			if err == nil {
				v.size = int(size)
			}
			if call[2] == "1" {
				v.version = 1
			}
			v.keyFile = call[3]
		}
		all = append(all, v)
	}
	if len(all) < 100 {
		t.Fatalf("INDEX.md of the golden vectors lists %d cases only", len(all))
	}
	return all
}

// file returns a file of the case, or nil if it has none.
func (v vector) file(t testing.TB, suffix string) []byte {
	t.Helper()
	return v.readFile(t, v.name+suffix)
}

func (v vector) readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(v.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}

// keysOf returns the keys of the folder that open an encrypted case, and nil
// for a plain one.
func (v vector) keysOf(t testing.TB) *nvsgen.Keys {
	t.Helper()
	var about struct{ Encrypted bool }
	if err := json.Unmarshal(v.file(t, ".json"), &about); err != nil {
		t.Fatal(err)
	}
	if !about.Encrypted {
		return nil
	}
	candidates, err := filepath.Glob(filepath.Join(v.dir, "*keys*.bin"))
	if err != nil {
		t.Fatal(err)
	}
	image := v.file(t, ".bin")
	for _, name := range candidates {
		keys, err := nvsgen.ParseKeys(v.readFile(t, filepath.Base(name)))
		if err != nil {
			continue // one of the bad ones
		}
		if _, err := nvsgen.Decrypt(image, keys); err == nil {
			return keys
		}
	}
	t.Fatal("no keys file of the folder opens the image")
	return nil
}

// mustKeys returns the keys that the reference generator was called with.
func (v vector) mustKeys(t testing.TB) *nvsgen.Keys {
	t.Helper()
	if v.keyFile == "" {
		return nil
	}
	keys, err := nvsgen.ParseKeys(v.readFile(t, v.keyFile))
	if err != nil {
		t.Fatalf("%s: %v", v.keyFile, err)
	}
	return keys
}

// has reports whether the text of the case holds a phrase.
func (v vector) has(phrase string) bool { return strings.Contains(v.text, phrase) }
