package firmware

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

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
	switch {
	case file == idfManifest:
		return readIDF(root)
	case filepath.Ext(file) == ".bin":
		return readImage(root, file)
	case file != "":
		return readWebTools(root, file, opts.Chip)
	case hasFile(root, manifestName) && !hasFile(root, idfManifest): // before PlatformIO, whose names its files often have: it may list more
		return readWebTools(root, manifestName, opts.Chip)
	case isPlatformIO(root): // before ESP-IDF: its ESP-IDF builds have flasher_args.json too, naming files that are not there
		return platformIO.read(root)
	case len(sketches(root)) > 0:
		return readArduino(root)
	case hasFile(root, idfManifest):
		return readIDF(root)
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
