package firmware

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/flasher"
)

// webManifest is the manifest of ESP Web Tools. Fields that say how to talk to
// people are left out.
type webManifest struct {
	Name    string     `json:"name"`
	Version string     `json:"version"`
	Builds  []webBuild `json:"builds"`
}

type webBuild struct {
	ChipFamily string `json:"chipFamily"` // "ESP32-S3"
	Parts      []struct {
		Path   string `json:"path"`
		Offset uint32 `json:"offset"`
	} `json:"parts"`
}

// readWebTools reads a folder with an ESP Web Tools manifest.
func readWebTools(root *os.Root, name, chip string) (*build, error) {
	data, err := readFile(root, name, maxManifest)
	if err != nil {
		return nil, err
	}
	b, err := parseWebTools(data, chip)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range b.parts {
		if b.parts[i].Data, err = readPart(root, b.parts[i].Name); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// parseWebTools returns the build for that chip without the data of its parts.
func parseWebTools(data []byte, chip string) (*build, error) {
	var m webManifest
	if err := parseJSON(data, &m); err != nil {
		return nil, err
	}
	if _, err := parseManifest(data); err == nil {
		return nil, errors.New("this is a release already: copy its folder, as it is, into the folder with the releases (firmware-images)")
	}
	if len(m.Builds) == 0 {
		return nil, errors.New("it lists no builds, as ESP Web Tools manifests do")
	}
	chosen, err := m.choose(chip)
	if err != nil {
		return nil, err
	}
	target, err := flasher.ChipNamed(chosen.ChipFamily)
	if err != nil {
		return nil, err
	}
	if len(chosen.Parts) == 0 {
		return nil, fmt.Errorf("the build for %s has no parts", chosen.ChipFamily)
	}
	b := &build{source: "esp-web-tools", chip: target.Name, project: m.Name, version: m.Version}
	for _, p := range chosen.Parts {
		b.parts = append(b.parts, Segment{Name: p.Path, Offset: p.Offset})
	}
	return b, nil
}

// choose returns the build for that chip, or the only one if chip is "".
func (m *webManifest) choose(chip string) (webBuild, error) {
	var families []string
	var found []webBuild
	for _, b := range m.Builds {
		families = append(families, b.ChipFamily)
		if target, err := flasher.ChipNamed(b.ChipFamily); chip == "" || err == nil && target.Name == chip {
			found = append(found, b)
		}
	}
	slices.Sort(families)
	there := strings.Join(slices.Compact(families), ", ")
	switch {
	case len(found) == 0:
		return webBuild{}, fmt.Errorf("it has no build for the %s, only for: %s", chip, there)
	case len(found) > 1 && chip == "":
		return webBuild{}, fmt.Errorf("it has several builds (%s): choose one with --chip", there)
	case len(found) > 1:
		return webBuild{}, fmt.Errorf("it has %d builds for the %s: leave only one of them in the manifest", len(found), chip)
	}
	return found[0], nil
}
