// Package stub carries Espressif's flasher stub, the small program that a host
// uploads into a chip's RAM to write flash faster than the ROM loader can.
//
// The images are not in the repository: fetch.sh puts them beside this file,
// where the build embeds them. A build without them works, and For then
// returns ErrMissing. NOTICE.md has origin and licence.
package stub

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Version is the esp-flasher-stub release that SHA256SUMS names.
const Version = "1.2.2"

// ErrMissing is returned when this build carries no stub for the chip.
var ErrMissing = errors.New("no flasher stub in this build (run flasher/stub/fetch.sh and build again)")

// Image is a stub for one kind of chip. Addresses are in the chip's RAM.
type Image struct {
	Entry     uint32 // where MEM_END starts it
	TextStart uint32 // load address of Text
	DataStart uint32 // load address of Data
	Text      []byte
	Data      []byte
}

// package.json is there always, so the pattern matches in a build without stubs.
//
//go:embed *.json
var files embed.FS

//go:embed SHA256SUMS
var sums string

// Notice names the origin and licence of the embedded images, as their licence asks.
//
//go:embed NOTICE.md
var Notice string

// For returns the stub of a chip named as in Espressif's tools, such as
// "esp32s3" ("esp32p4-rev1" is for P4 silicon before revision 3). The error is
// ErrMissing if this build has none; a file that is not the one SHA256SUMS
// names is refused.
func For(chip string) (*Image, error) {
	name := chip + ".json"
	want, known := checksums()[name]
	if !known {
		return nil, fmt.Errorf("%s: %w", chip, ErrMissing)
	}
	raw, err := files.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", chip, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("stub %s: %w", chip, err)
	}
	if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != want {
		return nil, fmt.Errorf("stub %s: %s has SHA-256 %x, want %s (run flasher/stub/fetch.sh)", chip, name, got, want)
	}
	return parse(chip, raw)
}

// parse reads the JSON layout of esp-flasher-stub's tools/elf2json.py.
func parse(chip string, raw []byte) (*Image, error) {
	var f struct {
		Entry     uint32 `json:"entry"`
		Text      []byte `json:"text"`
		TextStart uint32 `json:"text_start"`
		Data      []byte `json:"data"`
		DataStart uint32 `json:"data_start"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("stub %s: %w", chip, err)
	}
	if f.Entry == 0 || len(f.Text) == 0 {
		return nil, fmt.Errorf("stub %s: the file has no entry point or no code", chip)
	}
	return &Image{
		Entry: f.Entry, TextStart: f.TextStart, DataStart: f.DataStart,
		Text: f.Text, Data: f.Data,
	}, nil
}

// checksums maps each file of SHA256SUMS to its digest in hex.
func checksums() map[string]string {
	m := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(sums)); lines.Scan(); {
		if digest, name, ok := strings.Cut(lines.Text(), "  "); ok {
			m[name] = digest
		}
	}
	return m
}
