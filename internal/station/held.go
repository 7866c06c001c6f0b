package station

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the only digest that the chips can compute
	"fmt"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

// heldNVS is what a unit keeps of its NVS partition in a rework.
type heldNVS struct {
	before   heldBytes          // what was in it before the first write
	rescued  []byte             // what was in it before an attempt of the same rework that was cut off
	mustOpen bool               // since nothing else tells whether it is encrypted
	held     *firmware.Held     // what of these can be kept; nil: nothing
	pages    []nvsgen.PageWrite // what changes of it
}

// heldBytes are a unit's NVS partition, and its keys partition where it has one.
type heldBytes struct{ nvs, keys []byte }

// readNVS reads what the unit holds in its NVS partition, and finds out whether it
// needs credentials. What cannot be read is lost: NVS is then made anew. At a second
// try what counts is how the unit was before the first.
func (a *attempt) readNVS(ctx context.Context) error {
	if a.keepsFirmware() {
		if err := a.watchFirmware(ctx); err != nil {
			return err
		}
	}
	if a.nvs.before.nvs == nil {
		before, err := a.readHeld(ctx)
		if err != nil {
			return err
		}
		a.nvs.before = before
	}
	var err error
	a.nvs.held, err = a.openHeld()
	if err != nil && a.nvs.mustOpen {
		return &fault{kindOtherLayout, fmt.Errorf("release %s cannot read the unit's NVS partition (%w), and the record no longer tells whether it is encrypted", a.Release.Name, err)}
	}
	if err != nil {
		a.note(fmt.Sprintf("Nothing in the unit's NVS partition could be kept, so it was made anew: %v.", err))
	} else if damage := a.nvs.held.Damage(); damage != "" {
		a.note("Some of the unit's NVS partition could not be read and is lost: " + damage + ".")
	}
	if a.nvs.held == nil || a.nvs.held.Needs(a.decision.Unit.ID, a.renewal()) {
		a.ask()
	}
	return nil
}

func (a *attempt) readHeld(ctx context.Context) (h heldBytes, err error) {
	if h.nvs, err = a.readPartition(ctx, a.Release.NVS); err != nil {
		return heldBytes{}, err
	}
	if k := a.Release.NVSKeys; k != nil {
		h.keys, err = a.dev.ReadFlash(ctx, k.Offset, nvsgen.KeysSize, nil)
	}
	return h, err
}

// readPartition reads a partition, but for the sectors that are blank: the chip
// says so sooner, and has to confirm with a digest of it all that these were meant.
func (a *attempt) readPartition(ctx context.Context, p firmware.Partition) ([]byte, error) {
	data := bytes.Repeat([]byte{0xFF}, p.Size)
	blank := md5.Sum(data[:flasher.SectorSize]) //nolint:gosec // see above
	from, blanks := 0, false                    // where the sectors that are not blank begin
	for at := 0; at <= p.Size; at += flasher.SectorSize {
		if at < p.Size {
			sum, err := a.dev.FlashMD5(ctx, p.Offset+uint32(at), flasher.SectorSize)
			if err != nil {
				return nil, err
			}
			if sum != blank {
				continue
			}
			blanks = true
		}
		if from < at {
			used, err := a.dev.ReadFlash(ctx, p.Offset+uint32(from), at-from, nil)
			if err != nil {
				return nil, err
			}
			copy(data[from:], used)
		}
		from = at + flasher.SectorSize
	}
	if !blanks {
		return data, nil
	}
	sum, err := a.dev.FlashMD5(ctx, p.Offset, p.Size)
	if err == nil && sum != md5.Sum(data) { //nolint:gosec // see above
		err = &fault{string(flasher.BadFrame), fmt.Errorf("what was read of %s has another digest than the flash", p.Label)}
	}
	return data, err
}

// ask has the unit's credentials fetched.
func (a *attempt) ask() {
	a.asked = true
	a.errand.send(a.decision.Unit.ID)
}

// asksEarly reports whether the credentials are wanted whatever the unit holds, so
// that they can be fetched while it is being written. A unit whose firmware stays may
// yet be refused, and must not lose those that it has: asking may void them.
func (a *attempt) asksEarly() bool {
	if a.keepsFirmware() {
		return false
	}
	return !a.keepsNVS() || !a.decision.Rework.KeepAll || a.decision.Rework.NewCredentials
}

// note is for the record and for who reads the log.
func (a *attempt) note(sentence string) {
	a.result.Notes = append(a.result.Notes, sentence)
	a.log.Info("note", "text", sentence)
}
