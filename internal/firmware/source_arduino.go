package firmware

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// arduinoApp is what Arduino calls the application of a sketch. Beside it are
// SKETCH.ino.bootloader.bin and SKETCH.ino.partitions.bin (arduino-esp32,
// platform.txt: recipe.hooks.prebuild.4, recipe.objcopy.partitions.bin).
const arduinoApp = ".ino.bin"

// sketches are the sketches whose applications are in the folder.
func sketches(root *os.Root) (names []string) {
	files, _ := fs.Glob(root.FS(), "*"+arduinoApp) // the pattern is right
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file, arduinoApp))
	}
	return names
}

// readArduino reads the build folder of a sketch. Its application says of itself
// only that it is Arduino's: the sketch's name stands for the project.
func readArduino(root *os.Root) (*build, error) {
	names := sketches(root)
	if len(names) > 1 {
		return nil, fmt.Errorf("there are several sketches here (%s): leave the files of one", strings.Join(names, ", "))
	}
	sketch := names[0]
	b, err := unlisted{
		source: "arduino", bootloader: sketch + ".ino.bootloader.bin", partitions: sketch + ".ino.partitions.bin", app: sketch + arduinoApp,
	}.read(root)
	if err != nil {
		return nil, err
	}
	b.project = sketch
	return b, nil
}
