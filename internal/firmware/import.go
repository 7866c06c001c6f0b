package firmware

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"hoptech.co.nz/flashd/flasher"
)

// ImportOptions say what a build does not.
type ImportOptions struct {
	// Chip, if set, is the chip that the images have to be for. It also
	// chooses among the builds of an ESP Web Tools manifest.
	Chip string
	// FlashSize, if not 0, is written into the bootloader's header in place
	// of what the build put there, as esptool's --flash-size does. Bytes.
	FlashSize int
	// Template, if set, is the file to use as the NVS template. Otherwise it
	// is nvs.csv in the build's folder, or one that sets mqtt_user, mqtt_pass
	// and provisioned in namespace gateway.
	Template string
	// NVSEncrypted has every unit get keys of its own and an encrypted NVS
	// partition.
	NVSEncrypted bool
}

// Import makes the release called name of the build at source: a build folder of
// ESP-IDF, PlatformIO or Arduino, a folder with an ESP Web Tools manifest, such a
// manifest itself, or one image of the whole flash. It checks all that [Load]
// checks. Either the whole release appears under imagesDir or nothing; a release
// that is there stays.
func Import(imagesDir, name, source string, opts ImportOptions) (*Release, error) {
	r, err := importBuild(imagesDir, name, source, opts)
	if err != nil {
		return nil, fmt.Errorf("import %s as %s: %w", source, name, err)
	}
	return r, nil
}

func importBuild(imagesDir, name, source string, opts ImportOptions) (*Release, error) {
	if err := checkNew(imagesDir, name); err != nil {
		return nil, err
	}
	if opts.Chip != "" {
		chip, err := flasher.ChipNamed(opts.Chip)
		if err != nil {
			return nil, err
		}
		opts.Chip = chip.Name
	}
	dir, file, err := splitSource(source)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	b, err := readBuild(root, file, opts)
	if err != nil {
		return nil, err
	}
	if err := checkNVSConfig(root, opts.NVSEncrypted); err != nil {
		return nil, err
	}
	nvs, err := chooseTemplate(root, opts.Template)
	if err != nil {
		return nil, err
	}
	nvs.encrypted = opts.NVSEncrypted
	d, err := b.draft(name, opts, nvs)
	if err != nil {
		return nil, err
	}
	return d.save(imagesDir)
}

// nvsText is what units get as NVS, before it is checked.
type nvsText struct {
	text      []byte // the template
	own       bool   // written for this firmware, not the default
	encrypted bool
}

// chooseTemplate returns the template at path, or the one that the build
// brings, or the default.
func chooseTemplate(root *os.Root, path string) (nvsText, error) {
	var text []byte
	var err error
	if path != "" {
		text, err = os.ReadFile(path)
	} else if text, err = readFile(root, templateName, maxTemplate); errors.Is(err, os.ErrNotExist) {
		return nvsText{text: []byte(defaultTemplate)}, nil
	}
	// Spreadsheets write a byte order mark, which Espressif's generator would refuse.
	return nvsText{text: bytes.TrimPrefix(text, []byte("\ufeff")), own: true}, err
}
