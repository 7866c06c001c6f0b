package nvsgen

import (
	"fmt"
)

// Options say how [Generate] builds a partition. The zero value is what almost
// everybody wants.
type Options struct {
	// Version of the format: 1 for firmware before ESP-IDF 3.2 (2018), else 2.
	// 0 means 2.
	Version int
	// ReadOnly uses every page for data and leaves none blank. The firmware
	// opens such a partition only if the partition table marks it readonly.
	// Sizes below [MinSize] are always read-only.
	ReadOnly bool
	// Keys encrypts the entries with XTS-AES-256; nil leaves them plain.
	Keys *Keys

	tight bool // let strings fill a page to its end, as the firmware does
}

// Generate returns the image of a partition of size bytes that holds the
// entries in the order given.
//
// The bytes are those of Espressif's generator, or of the firmware itself
// writing the same keys in the same order to a blank partition: used pages are
// full but the last, which is active, and at least one page stays blank.
// size is a multiple of [PageSize], at least [MinSize]. An image for a
// read-only partition ends with its last used page, as Espressif's does, so it
// may be shorter than size: erase the rest of the partition.
//
// What cannot be stored is refused with an [EntryError] that wraps one of the
// errors of this package.
func Generate(entries []Entry, size int, opts *Options) ([]byte, error) {
	if opts == nil {
		opts = &Options{}
	}
	version, err := versionByte(opts.Version)
	if err != nil {
		return nil, err
	}
	if size <= 0 || size%PageSize != 0 {
		return nil, fmt.Errorf("%w: size %d (%#x) is no positive multiple of %d; take the size of the nvs row in the partition table", ErrSize, size, size, PageSize)
	}
	readOnly := opts.ReadOnly || size < MinSize
	spare := 1 // the firmware moves live entries there before it erases a page
	if readOnly {
		spare = 0
	}
	w := newWriter(size, version, opts.tight)
	if err := w.writeAll(entries, size/PageSize-spare, spare); err != nil {
		return nil, err
	}
	w.closeIfAmbiguous()
	image := w.image
	if !readOnly {
		image = appendBlank(image, size-len(image))
	}
	if opts.Keys != nil {
		opts.Keys.encrypt(image)
	}
	return image, nil
}

func versionByte(v int) (byte, error) {
	switch v {
	case 1:
		return version1, nil
	case 0, 2:
		return version2, nil
	default:
		return 0, fmt.Errorf("%w: version %d: choose 1 or 2", ErrVersion, v)
	}
}
