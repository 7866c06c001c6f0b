package nvsgen

import (
	"bytes"
	"fmt"
)

// Encrypt returns an encrypted copy of a plain image. Page headers and entry
// states stay as they are.
func Encrypt(image []byte, keys *Keys) ([]byte, error) {
	if err := checkSize(image); err != nil {
		return nil, err
	}
	image = bytes.Clone(image)
	keys.encrypt(image)
	return image, nil
}

// Decrypt returns a plain copy of an encrypted image. [ErrWrongKeys] is
// returned if the keys do not open a single entry.
func Decrypt(image []byte, keys *Keys) ([]byte, error) {
	if err := checkSize(image); err != nil {
		return nil, err
	}
	c := keys.cipher()
	if err := checkKeys(image, c); err != nil {
		return nil, err
	}
	image = bytes.Clone(image)
	for at, entry := range allEntries(image) {
		// What is erased may be wiped, but what a power cut left is decrypted
		// too, so that it can be looked at.
		written := at.state == entryWritten
		if written || !bytes.Equal(entry, blankPage[:EntrySize]) && !bytes.Equal(entry, wiped[:]) {
			c.decrypt(entry, at.offset)
		}
	}
	return image, nil
}

var wiped [EntrySize]byte

// encrypt encrypts the written entries of a plain image in place.
func (k *Keys) encrypt(image []byte) {
	c := k.cipher()
	for at, entry := range allEntries(image) {
		if at.state == entryWritten {
			c.encrypt(entry, at.offset)
		}
	}
}

// checkKeys refuses keys that do not suit an image: firmware with such keys
// erases every entry and reports success.
func checkKeys(image []byte, c *cipher) error {
	if readable, written := countReadable(image, c); written > 0 && readable == 0 {
		return fmt.Errorf("%w: none of the entries can be read with these keys; take the keys that the partition was made with", ErrWrongKeys)
	}
	return nil
}

func checkSize(image []byte) error {
	if len(image) == 0 || len(image)%PageSize != 0 {
		return fmt.Errorf("%w: an image of %d bytes is no multiple of %d; read the partition whole", ErrSize, len(image), PageSize)
	}
	return nil
}

// countReadable counts the written entries of the pages with a good header,
// and those of them that are a head with a good checksum.
func countReadable(image []byte, c *cipher) (readable, written int) {
	pages := describePages(image)
	for at, entry := range allEntries(image) {
		state := pages[at.offset/PageSize].State
		if at.state != entryWritten || state == Corrupt || state == Blank {
			continue
		}
		written++
		it := item(entry)
		if c != nil {
			c.decrypt(it[:], at.offset)
		}
		if it.checksumOK() {
			readable++
		}
	}
	return readable, written
}
