package station

import (
	"bytes"
	"context"
	"fmt"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

// readNVS reads what the unit holds in its NVS partition, and finds out whether it
// needs credentials. What cannot be read is lost: NVS is then made anew.
func (a *attempt) readNVS(ctx context.Context) error {
	if a.keepsFirmware() {
		if err := a.watchFirmware(ctx); err != nil {
			return err
		}
	}
	nvs, err := a.readPartition(ctx, a.Release.NVS)
	if err != nil {
		return err
	}
	var keys []byte
	if k := a.Release.NVSKeys; k != nil {
		if keys, err = a.dev.ReadFlash(ctx, k.Offset, nvsgen.KeysSize, nil); err != nil {
			return err
		}
	}
	a.held, err = a.Release.ReadHeld(nvs, keys)
	if err != nil {
		a.note(fmt.Sprintf("Nothing in the unit's NVS partition could be kept, so it was made anew: %v.", err))
	} else if damage := a.held.Damage(); damage != "" {
		a.note("Some of the unit's NVS partition could not be read and is lost: " + damage + ".")
	}
	if a.held == nil || a.held.Needs(a.decision.Unit.ID, a.renewal()) {
		a.ask()
	}
	return nil
}

// readPartition reads a partition, but for the sectors that are blank: the chip
// says so sooner.
func (a *attempt) readPartition(ctx context.Context, p firmware.Partition) ([]byte, error) {
	data := bytes.Repeat([]byte{0xFF}, p.Size)
	blank, err := flasher.Pack(p.Label, p.Offset, data[:flasher.SectorSize])
	if err != nil {
		return nil, err
	}
	for at := 0; at < p.Size; at += flasher.SectorSize {
		sum, err := a.dev.FlashMD5(ctx, p.Offset+uint32(at), flasher.SectorSize)
		if err != nil {
			return nil, err
		}
		if sum == blank.MD5 {
			continue
		}
		sector, err := a.dev.ReadFlash(ctx, p.Offset+uint32(at), flasher.SectorSize, nil)
		if err != nil {
			return nil, err
		}
		copy(data[at:], sector)
	}
	return data, nil
}

// renewal is what the rework asks for.
func (a *attempt) renewal() firmware.Renewal {
	r := a.decision.Rework
	return firmware.Renewal{KeepAll: r.KeepAll, NewCredentials: r.NewCredentials, Set: settingsOf(r.Set)}
}

// ask has the unit's credentials fetched.
func (a *attempt) ask() {
	a.asked = true
	a.errand.send(a.decision.Unit.ID)
}

// asksEarly reports whether the credentials are wanted whatever the unit holds, so
// that they can be fetched while it is being written or read.
func (a *attempt) asksEarly() bool {
	return !a.keepsNVS() || !a.decision.Rework.KeepAll || a.decision.Rework.NewCredentials
}

// note is for the record and for who reads the log.
func (a *attempt) note(sentence string) {
	a.result.Notes = append(a.result.Notes, sentence)
	a.log.Info("note", "text", sentence)
}
