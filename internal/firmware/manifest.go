package firmware

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"hoptech.co.nz/flashd/flasher"
)

// manifestName is the manifest's file name, in the release's folder.
const manifestName = "manifest.json"

// manifestSchema is the one version of the manifest's format so far.
const manifestSchema = 1

// maxManifest is far more than any manifest needs, in bytes.
const maxManifest = 1 << 20

// maxFlash is the largest flash that an image header can name, in bytes.
const maxFlash = 128 << 20

// manifest is manifest.json.
type manifest struct {
	Schema    int               `json:"schema"`
	Name      string            `json:"name"`
	Demo      bool              `json:"demo,omitempty"`
	Chip      string            `json:"chip"`
	FlashSize int               `json:"flash_size"` // bytes
	Project   string            `json:"project"`
	Version   string            `json:"version"`
	Source    string            `json:"source"`
	Imported  time.Time         `json:"imported"`
	Segments  []manifestSegment `json:"segments"`
	NVS       manifestNVS       `json:"nvs"`
}

type manifestSegment struct {
	Name   string  `json:"name"`
	File   string  `json:"file"` // beside the manifest
	Offset address `json:"offset"`
	Size   int     `json:"size"` // bytes
	SHA256 string  `json:"sha256"`
}

type manifestNVS struct {
	Label          string  `json:"label"`
	Offset         address `json:"offset"`
	Size           int     `json:"size"`      // bytes
	Namespace      string  `json:"namespace"` // of the credentials
	Template       string  `json:"template"`  // beside the manifest
	TemplateSHA256 string  `json:"template_sha256"`
	Encrypted      bool    `json:"encrypted,omitempty"` // with keys of each unit's own, in the nvs_keys partition
}

// address is a flash address, written as people write them: "0x9000".
type address uint32

func (a address) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint32(a)), nil }

func (a *address) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("%q is not a flash address such as \"0x9000\"", text)
	}
	*a = address(n)
	return nil
}

// readManifest also returns the SHA-256 of the manifest in hex.
func readManifest(root *os.Root) (*manifest, string, error) {
	data, err := readFile(root, manifestName, maxManifest)
	if err != nil {
		return nil, "", err
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", manifestName, err)
	}
	return m, hexSHA256(data), nil
}

// parseManifest is strict: a field that it does not know might be one that
// matters.
func parseManifest(data []byte) (*manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var m manifest
	if err := dec.Decode(&m); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it is empty or cut off")
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the manifest's closing brace")
	}
	if m.Schema != manifestSchema {
		return nil, fmt.Errorf("schema %d is not the one this flashd reads (%d)", m.Schema, manifestSchema)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

func (m *manifest) check() error {
	if err := checkName(m.Name); err != nil {
		return err
	}
	if _, err := flasher.ChipNamed(m.Chip); err != nil {
		return err
	}
	if m.FlashSize <= 0 || m.FlashSize > maxFlash {
		return fmt.Errorf("flash_size %d: want bytes, at most 128 MiB", m.FlashSize)
	}
	if len(m.Segments) == 0 {
		return errors.New("it has no segments")
	}
	files := map[string]bool{manifestName: true}
	for i, s := range m.Segments {
		if s.Name == "" {
			return fmt.Errorf("segment %d has no name", i)
		}
		if s.Size <= 0 || s.Size > maxFlash {
			return fmt.Errorf("segment %s: size %d: want bytes, at most 128 MiB", s.Name, s.Size)
		}
		if err := checkFile(s.File, s.SHA256, files); err != nil {
			return fmt.Errorf("segment %s: %w", s.Name, err)
		}
	}
	switch n := m.NVS; {
	case n.Label == "" || n.Namespace == "":
		return errors.New("nvs: want a label and a namespace")
	case n.Size <= 0 || n.Size > maxFlash:
		return fmt.Errorf("nvs: size %d: want bytes, at most 128 MiB", n.Size)
	}
	if err := checkFile(m.NVS.Template, m.NVS.TemplateSHA256, files); err != nil {
		return fmt.Errorf("nvs template: %w", err)
	}
	return nil
}

// checkFile checks a file's name and hash, and that the name is not in taken,
// which it then is.
func checkFile(name, sum string, taken map[string]bool) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("file %q: want the plain name of a file beside the manifest", name)
	}
	if taken[name] {
		return fmt.Errorf("file %s is named twice", name)
	}
	taken[name] = true
	if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("file %s: want its SHA-256 in 64 hex digits", name)
	}
	return nil
}

// marshal returns the manifest as it is written to disk.
func (m *manifest) marshal() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
