package firmware

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// draft is a release before it is on disk.
type draft struct {
	manifest *manifest
	segments []Segment // as in the manifest
	template []byte
}

// newDraft checks the segments and the template and describes them. It names
// each segment after its place.
func newDraft(name, source string, segments []Segment, nvs nvsText) (*draft, error) {
	l, err := newLayout(segments, nvs.encrypted)
	if err != nil {
		return nil, err
	}
	if _, err := newTemplate(nvs.text, defaultNamespace, int(l.nvs.Size)); err != nil {
		return nil, fmt.Errorf("%s: %w", templateName, err)
	}
	m := &manifest{
		Schema: manifestSchema, Name: name, Chip: l.chip.Name, FlashSize: l.flashSize,
		Source: source, Imported: time.Now().UTC().Truncate(time.Second),
		NVS: manifestNVS{
			Label: l.nvs.Label, Offset: address(l.nvs.Offset), Size: int(l.nvs.Size),
			Namespace: defaultNamespace, Template: templateName, TemplateSHA256: hexSHA256(nvs.text),
			Encrypted: nvs.encrypted,
		},
	}
	if about := l.app.App; about != nil {
		m.Project, m.Version = about.Project, about.Version
	}
	taken := map[string]bool{manifestName: true, templateName: true}
	for i, s := range segments {
		segments[i].Name = l.places[i]
		m.Segments = append(m.Segments, manifestSegment{
			Name: l.places[i], File: fileName(l.places[i], s.Offset, taken), Offset: address(s.Offset),
			Size: len(s.Data), SHA256: hexSHA256(s.Data),
		})
	}
	return &draft{manifest: m, segments: segments, template: nvs.text}, nil
}

var notInFileNames = regexp.MustCompile(`[^A-Za-z0-9._-]|^[._-]`)

// fileName returns a name for the file of a segment that is not in taken,
// which it then is.
func fileName(place string, offset uint32, taken map[string]bool) string {
	stem := notInFileNames.ReplaceAllString(place, "x")
	name := stem + ".bin"
	if taken[name] {
		name = fmt.Sprintf("%s-%x.bin", stem, offset)
	}
	taken[name] = true
	return name
}

// checkNew checks that a release can be called name and that none is.
func checkNew(imagesDir, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(imagesDir, name)); err == nil {
		return fmt.Errorf("%w; releases are never overwritten, choose another name", ErrExists)
	}
	return nil
}

// save writes the release into a temporary folder, loads it from there with
// all checks, and only then gives it its name.
func (d *draft) save(imagesDir string) (*Release, error) {
	name := d.manifest.Name
	if err := checkNew(imagesDir, name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(imagesDir, 0o755); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(imagesDir, ".import-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }() // nothing is there any more after a success
	if err := d.write(temp); err != nil {
		return nil, err
	}
	r, err := load(temp, name)
	if err != nil {
		return nil, err
	}
	// A folder that has files in it is not renamed over, whoever made it meanwhile.
	if err := os.Rename(temp, filepath.Join(imagesDir, name)); err != nil {
		return nil, cmp.Or(checkNew(imagesDir, name), err)
	}
	return r, syncDir(imagesDir)
}

func (d *draft) write(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil { // MkdirTemp's folders are private
		return err
	}
	for i, s := range d.segments {
		if err := s.write(filepath.Join(dir, d.manifest.Segments[i].File)); err != nil {
			return err
		}
	}
	if err := writeSynced(filepath.Join(dir, d.manifest.NVS.Template), d.template); err != nil {
		return err
	}
	data, err := d.manifest.marshal()
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(dir, manifestName), data); err != nil {
		return err
	}
	return syncDir(dir)
}

// deflatedSuffix, behind the name of an image's file, is that of its compressed
// form. The manifest does not name it: it can be made again at any time.
const deflatedSuffix = ".zlib"

// write writes the segment to path, and beside it what of it goes over the line:
// compressing that as well as can be takes longer than all else that a host
// does for a unit.
func (s Segment) write(path string) error {
	packed, err := s.Pack()
	if err != nil {
		return err
	}
	if err := writeSynced(path, s.Data); err != nil {
		return err
	}
	if deflated := packed.Deflated(); deflated != nil {
		return writeSynced(path+deflatedSuffix, deflated)
	}
	return nil
}

// writeSynced writes a file that a power cut after the import cannot empty.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return cmp.Or(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}
