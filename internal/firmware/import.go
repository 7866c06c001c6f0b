package firmware

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// Import makes the release called name of the build in dir: a build folder of
// ESP-IDF, PlatformIO or Arduino, or a folder with an ESP Web Tools manifest, or
// such a manifest itself, or one image of the whole flash. It checks all that [Load] checks. Either the whole release
// appears under imagesDir or nothing; a release that is there stays.
func Import(imagesDir, name, dir string, opts ImportOptions) (*Release, error) {
	r, err := importBuild(imagesDir, name, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("import %s as %s: %w", dir, name, err)
	}
	return r, nil
}

func importBuild(imagesDir, name, dir string, opts ImportOptions) (*Release, error) {
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
	dir, file, err := splitSource(dir)
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

// splitSource returns the folder that was given, and the name of the manifest or
// image in it if that was given instead of the folder.
func splitSource(path string) (dir, file string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		return path, "", nil
	}
	if ext := filepath.Ext(path); ext != ".json" && ext != ".bin" {
		return "", "", errors.New("give the folder of the build, its manifest.json or flasher_args.json, or a .bin of the whole flash")
	}
	return filepath.Dir(path), filepath.Base(path), nil
}

// readBuild finds out what kind of build it is.
func readBuild(root *os.Root, file string, opts ImportOptions) (*build, error) {
	names := sketches(root)
	switch {
	case file == idfManifest:
		return readIDF(root)
	case filepath.Ext(file) == ".bin":
		return readImage(root, file)
	case file != "":
		return readWebTools(root, file, opts.Chip)
	case hasFile(root, manifestName) && !hasFile(root, idfManifest): // before PlatformIO, whose names it likes, too: it may list more
		return readWebTools(root, manifestName, opts.Chip)
	case isPlatformIO(root): // before ESP-IDF: its ESP-IDF builds have flasher_args.json too, naming files that are not there
		return platformIO.read(root)
	case len(names) > 0:
		return readArduino(root, names)
	case hasFile(root, idfManifest):
		return readIDF(root)
	case hasFile(root, manifestName):
		return readWebTools(root, manifestName, opts.Chip)
	}
	return nil, noBuild(root)
}

func hasFile(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// noBuild says where the build is when the project's folder was given, or which
// of its files was meant.
func noBuild(root *os.Root) error {
	if hasFile(root, filepath.Join("build", idfManifest)) {
		return fmt.Errorf("this is an ESP-IDF project: give its build folder, %s", filepath.Join(root.Name(), "build"))
	}
	if envs := foldersOf(root, ".pio/build/*/firmware.bin"); len(envs) > 0 {
		return fmt.Errorf("this is a PlatformIO project: give the build folder of one environment, %s", strings.Join(envs, " or "))
	}
	if builds := foldersOf(root, "build/*/*"+arduinoApp); len(builds) > 0 {
		return fmt.Errorf("this is an Arduino sketch: give the build folder for one board, %s", strings.Join(builds, " or "))
	}
	if images, _ := filepath.Glob(filepath.Join(root.Name(), "*merged*.bin")); len(images) > 0 {
		return fmt.Errorf("there is no build here, but an image of the whole flash: give that itself, %s", strings.Join(images, " or "))
	}
	return errors.New("there is no build here: want flasher_args.json (ESP-IDF), bootloader.bin with partitions.bin and firmware.bin (PlatformIO), SKETCH.ino.bin with its bootloader and partitions (Arduino: Sketch, Export Compiled Binary), or manifest.json (ESP Web Tools)")
}

// foldersOf are the folders of the files that match.
func foldersOf(root *os.Root, pattern string) []string {
	files, _ := filepath.Glob(filepath.Join(root.Name(), pattern)) // the pattern is right
	for i := range files {
		files[i] = filepath.Dir(files[i])
	}
	return slices.Compact(files)
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
	if path != "" {
		text, err := os.ReadFile(path)
		return nvsText{text: text, own: true}, err
	}
	text, err := readFile(root, templateName, maxTemplate)
	if errors.Is(err, os.ErrNotExist) {
		return nvsText{text: []byte(defaultTemplate)}, nil
	}
	return nvsText{text: text, own: true}, err
}
