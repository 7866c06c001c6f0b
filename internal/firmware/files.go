package firmware

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readFile reads a regular file of at most limit bytes. Root keeps paths, and
// the links that they lead over, inside its folder.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // a pipe would block
		return nil, fmt.Errorf("%s is not a file", name)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s has %d bytes: more than the %d it may have", name, info.Size(), limit)
	}
	return root.ReadFile(name)
}

// readHashed reads a file of a release and compares it with what the manifest
// says of it. A size of -1 is not compared.
func readHashed(root *os.Root, name string, size int, sum string) ([]byte, error) {
	data, err := readFile(root, name, maxFlash)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s is missing", name)
	case err != nil:
		return nil, err
	case size >= 0 && len(data) != size:
		return nil, fmt.Errorf("%s has %d bytes, but the manifest says %d: import the release again", name, len(data), size)
	case hexSHA256(data) != strings.ToLower(sum):
		return nil, fmt.Errorf("%s is not the file that was imported: its SHA-256 differs from the manifest's", name)
	}
	return data, nil
}

// readPart reads a file that a build's own manifest names.
func readPart(root *os.Root, path string) ([]byte, error) {
	if strings.Contains(path, "://") {
		return nil, fmt.Errorf("part %q is on the network: download it beside the manifest and name it there", path)
	}
	if !filepath.IsLocal(path) {
		return nil, fmt.Errorf("part %q is not inside the folder: copy it there", path)
	}
	data, err := readFile(root, path, maxFlash)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("part %s is missing: build again", path)
	}
	if err == nil && len(data) == 0 {
		return nil, fmt.Errorf("part %s is empty", path)
	}
	return data, err
}
