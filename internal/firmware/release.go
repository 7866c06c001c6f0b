package firmware

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"hoptech.co.nz/flashd/flasher"
)

var (
	// ErrNotFound is returned when there is no release of that name.
	ErrNotFound = errors.New("no such release")
	// ErrExists is returned when a release would take the place of another.
	// A release that was signed off never changes.
	ErrExists = errors.New("there already is a release of that name")
)

// Release is one signed-off set of images, read and checked.
type Release struct {
	Name      string
	Chip      string // name of the chip it is for: "esp32s3"
	FlashSize int    // bytes of flash that a unit has to have
	Project   string // as the application's own description says; may be empty
	Version   string // likewise

	Source   string    // where it came from: "esp-idf", "platformio", "arduino", "esp-web-tools", "merged", "demo"
	Imported time.Time //
	Demo     bool      // for simulated units only: no real unit would run it

	// MinRevision and MaxRevision bound the chip revisions that the images
	// run on, as major·100 + minor. A MaxRevision of 65535 is no bound.
	MinRevision, MaxRevision uint16

	Segments []Segment  // in the order of their offsets; none touches what follows
	NVS      Partition  // where a unit's credentials go
	NVSKeys  *Partition // where the keys go that its NVS is encrypted with; nil: it is plain

	// Digest is the SHA-256 of the manifest in hex. The manifest holds the
	// hash of every file, so it stands for the release in records.
	Digest string

	template *template
}

// Segment is one contiguous part of flash to write.
type Segment struct {
	Name   string // "bootloader", "partition-table", or the label of its partition
	Offset uint32 // in flash, bytes; a multiple of 4096
	Data   []byte
	SHA256 string // of Data, in hex

	// Deflated is what the release keeps of Data as it goes over the line, nil
	// if nothing. It is not checked: Pack looks whether it is Data at all.
	Deflated []byte
}

// Pack makes the segment ready for the wire.
func (s Segment) Pack() (*flasher.Packed, error) {
	return flasher.Repack(s.Name, s.Offset, s.Data, s.Deflated)
}

// Partition is one that each unit gets a content of its own for.
type Partition struct {
	Label  string
	Offset uint32 // in flash, bytes
	Size   int    // bytes
}

// Bytes is the length of all segments together.
func (r *Release) Bytes() int {
	n := 0
	for _, s := range r.Segments {
		n += len(s.Data)
	}
	return n
}

// Load reads the release called name under imagesDir and checks everything:
// the manifest, the hash of each file, each image, the partition table, the
// layout, and that the NVS template makes a partition.
func Load(imagesDir, name string) (*Release, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	r, err := load(filepath.Join(imagesDir, name), name)
	switch {
	case errors.Is(err, os.ErrNotExist) && !isDir(filepath.Join(imagesDir, name)):
		return nil, fmt.Errorf("release %s: %w in %s", name, ErrNotFound, imagesDir)
	case err != nil:
		return nil, fmt.Errorf("release %s: %w", name, err)
	}
	return r, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func load(dir, name string) (*Release, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	m, digest, err := readManifest(root)
	if err != nil {
		return nil, err
	}
	if m.Name != name {
		return nil, fmt.Errorf("its manifest says that it is called %q; folder and manifest have to agree", m.Name)
	}
	r := &Release{
		Name: m.Name, Chip: m.Chip, FlashSize: m.FlashSize, Project: m.Project, Version: m.Version,
		Source: m.Source, Imported: m.Imported, Demo: m.Demo,
		NVS:    Partition{Label: m.NVS.Label, Offset: uint32(m.NVS.Offset), Size: m.NVS.Size},
		Digest: digest,
	}
	for _, ms := range m.Segments {
		data, err := readHashed(root, ms.File, ms.Size, ms.SHA256)
		if err != nil {
			return nil, err
		}
		// One that cannot be read is made again when it is needed.
		deflated, _ := readFile(root, ms.File+deflatedSuffix, maxFlash)
		r.Segments = append(r.Segments, Segment{Name: ms.Name, Offset: uint32(ms.Offset), Data: data, SHA256: ms.SHA256, Deflated: deflated})
	}
	if err := r.checkAgainst(m); err != nil {
		return nil, err
	}
	text, err := readHashed(root, m.NVS.Template, -1, m.NVS.TemplateSHA256)
	if err != nil {
		return nil, err
	}
	if r.template, err = newTemplate(text, m.NVS.Namespace, m.NVS.Size); err != nil {
		return nil, fmt.Errorf("%s: %w", m.NVS.Template, err)
	}
	return r, nil
}

// checkAgainst checks the layout of the segments, and that it is what the
// manifest says.
func (r *Release) checkAgainst(m *manifest) error {
	l, err := newLayout(r.Segments, m.NVS.Encrypted)
	if err != nil {
		return err
	}
	r.MinRevision, r.MaxRevision = l.revisions()
	if k := l.keys; k != nil {
		r.NVSKeys = &Partition{Label: k.Label, Offset: k.Offset, Size: int(k.Size)}
	}
	switch {
	case l.chip.Name != r.Chip:
		return fmt.Errorf("the images are for the %s, but the manifest says %s", l.chip.Name, r.Chip)
	case l.flashSize != r.FlashSize:
		return fmt.Errorf("the bootloader is for %s of flash, but the manifest says %s", sizeText(l.flashSize), sizeText(r.FlashSize))
	case l.nvs.Label != r.NVS.Label || l.nvs.Offset != r.NVS.Offset || int(l.nvs.Size) != r.NVS.Size:
		return fmt.Errorf("the partition table has %s, but the manifest says %s at %#x with %d bytes", l.nvs, r.NVS.Label, r.NVS.Offset, r.NVS.Size)
	}
	return nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// checkName keeps names to what is safe as a folder and plain in records.
func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("a release cannot be called %q: use up to 64 letters, digits, dots, dashes and underscores, such as gateway-1.4.2", name)
	}
	return nil
}
