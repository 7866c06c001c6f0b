package flasher

import (
	"context"
	"fmt"
)

// Revision is a chip's revision as image headers have it: major·100 + minor.
type Revision uint16

// String returns it as people write it: "v3.1".
func (r Revision) String() string { return fmt.Sprintf("v%d.%d", r/100, r%100) }

// noRevision stands in images for "any from here on".
const noRevision = 0xFFFF

// Revision reads the chip's revision from its efuses. Identify has to come
// first.
func (d *Device) Revision(ctx context.Context) (Revision, error) {
	r, err := d.chip.revision(d.reader(ctx))
	return r, opError("read revision", err)
}

// CheckRevision reads the chip's revision and refuses one below lowest or
// above highest, which images name as MinRevision and MaxRevision: the error is
// a WrongRevision. A highest of 0 or 65535 is no bound (esp-idf
// bootloader_common_check_chip_validity). Without bounds nothing is read.
func (d *Device) CheckRevision(ctx context.Context, lowest, highest uint16) error {
	if highest == 0 {
		highest = noRevision
	}
	if lowest == 0 && highest == noRevision {
		return nil
	}
	r, err := d.Revision(ctx)
	switch {
	case err != nil:
		return err
	case r < Revision(lowest):
		return &Error{Op: "check revision", Kind: WrongRevision, Err: fmt.Errorf("the chip is %s %s, and the image needs %s or later", d.chip, r, Revision(lowest))}
	case r > Revision(highest):
		return &Error{Op: "check revision", Kind: WrongRevision, Err: fmt.Errorf("the chip is %s %s, and the image runs on chips up to %s", d.chip, r, Revision(highest))}
	}
	return nil
}

// fuses is a number in the efuses: the register of its word, its lowest bit
// there and its width in bits.
type fuses struct {
	reg    uint32
	at     int
	length int
}

// number reads a number that lies in several places, the lowest bits first.
func number(read regReader, parts ...fuses) (n uint32, err error) {
	shift := 0
	for _, f := range parts {
		word, err := read(f.reg)
		if err != nil {
			return 0, err
		}
		n |= word >> f.at & (1<<f.length - 1) << shift
		shift += f.length
	}
	return n, nil
}

// fusedRevision reads a revision whose halves stand in the efuses as they are.
func fusedRevision(minor, major []fuses) func(regReader) (Revision, error) {
	return func(read regReader) (Revision, error) {
		low, err := number(read, minor...)
		if err != nil {
			return 0, err
		}
		high, err := number(read, major...)
		return Revision(high*100 + low), err
	}
}
