package firmware

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
)

// idfManifest is what ESP-IDF's build lists its images in
// (esp-idf components/esptool_py/flasher_args.json.in).
const idfManifest = "flasher_args.json"

type idfArgs struct {
	FlashFiles    map[string]string `json:"flash_files"` // file by offset: "0x8000"
	FlashSettings struct {
		FlashSize string `json:"flash_size"` // "8MB", "detect" or "keep"
	} `json:"flash_settings"`
	Extra struct {
		Chip string `json:"chip"`
	} `json:"extra_esptool_args"`
}

// readIDF reads the build folder of an ESP-IDF project.
func readIDF(root *os.Root) (*build, error) {
	data, err := readFile(root, idfManifest, maxManifest)
	if err != nil {
		return nil, err
	}
	b, err := parseIDF(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", idfManifest, err)
	}
	for i := range b.parts {
		if b.parts[i].Data, err = readPart(root, b.parts[i].Name); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// parseIDF returns the build without the data of its parts.
func parseIDF(data []byte) (*build, error) {
	var args idfArgs
	if err := parseJSON(data, &args); err != nil {
		return nil, err
	}
	if err := checkPlain(data); err != nil {
		return nil, err
	}
	b := &build{source: "esp-idf", chip: args.Extra.Chip}
	if size := args.FlashSettings.FlashSize; size != "" && size != "detect" && size != "keep" {
		var err error
		if b.flashSize, err = ParseFlashSize(size); err != nil {
			return nil, err
		}
	}
	if len(args.FlashFiles) == 0 {
		return nil, fmt.Errorf("flash_files lists no images: run idf.py build")
	}
	for _, offset := range slices.Sorted(maps.Keys(args.FlashFiles)) {
		n, err := strconv.ParseUint(offset, 0, 32)
		if err != nil {
			return nil, fmt.Errorf("flash_files: %q is no flash offset", offset)
		}
		b.parts = append(b.parts, Segment{Name: args.FlashFiles[offset], Offset: uint32(n)})
	}
	return b, nil
}

// checkPlain refuses builds of which esptool would encrypt a part while
// writing it.
func checkPlain(data []byte) error {
	var entries map[string]json.RawMessage
	if err := parseJSON(data, &entries); err != nil {
		return err
	}
	for name, raw := range entries {
		var entry struct {
			Encrypted string `json:"encrypted"`
		}
		if json.Unmarshal(raw, &entry) == nil && entry.Encrypted == "true" {
			return fmt.Errorf("%s is to be encrypted while it is written, which flashd does not do: build with flash encryption off", name)
		}
	}
	return nil
}
