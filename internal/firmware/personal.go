package firmware

import (
	"bytes"
	"errors"
	"fmt"

	"hoptech.co.nz/flashd/nvsgen"
)

// ErrValues is returned when the values of a unit do not suit the template, which
// was tried with others when the release was loaded: one is missing, or too long, or
// no number where one has to be.
var ErrValues = errors.New("the unit's values do not suit the NVS template")

// Personal is what makes one unit its own. All of it is secret.
type Personal struct {
	NVS  []byte // its NVS partition, exactly NVS.Size bytes
	Keys []byte // the keys partition that opens it, its first 4096 bytes; nil where NVS is plain
}

// Personal returns what one unit gets. Where NVS is encrypted that is with new
// random keys at each call. Every placeholder of the template needs a value;
// others are ignored. Errors name row, key and placeholder, never a value; those
// that are the values' fault are ErrValues.
func (r *Release) Personal(v Values) (Personal, error) {
	entries, err := r.template.entries(v)
	if err != nil {
		return Personal{}, unsuited(err)
	}
	plain, err := nvsgen.Generate(entries, r.NVS.Size, nil)
	if err != nil {
		return Personal{}, unsuited(err)
	}
	if r.NVSKeys == nil {
		return Personal{NVS: plain}, nil
	}
	keys := nvsgen.NewKeys()
	image, err := nvsgen.Encrypt(plain, keys)
	if err != nil {
		return Personal{}, fmt.Errorf("encrypt NVS: %w", err)
	}
	p := Personal{NVS: image, Keys: keys.Marshal()}
	if err := p.check(plain); err != nil {
		return Personal{}, fmt.Errorf("encrypted NVS: %w", err)
	}
	return p, nil
}

func unsuited(err error) error { return fmt.Errorf("%w: %s: %w", ErrValues, templateName, err) }

// check reads both images as the firmware will, and compares what it finds with
// the plain image. Given keys that do not suit, firmware erases all entries and
// reports success: nobody would notice on the chip.
func (p Personal) check(plain []byte) error {
	keys, err := nvsgen.ParseKeys(p.Keys)
	if err != nil {
		return err
	}
	read, err := nvsgen.ParseEncrypted(p.NVS, keys)
	if err != nil {
		return err
	}
	decrypted, err := nvsgen.Decrypt(p.NVS, keys)
	if err != nil {
		return err
	}
	if !read.Untouched || !bytes.Equal(decrypted, plain) {
		return errors.New("it does not read back as it was made; nothing was written")
	}
	return nil
}
