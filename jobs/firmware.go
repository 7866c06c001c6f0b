package jobs

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Firmware is the release that a unit's firmware is.
type Firmware struct {
	Release string `json:"release"`          // its name
	Digest  string `json:"digest,omitempty"` // SHA-256 of its manifest, hex; "" if the record no longer has it
	Proved  bool   `json:"proved,omitempty"` // by the chip's own digests of it; else the record alone says so
}

// LeftBehind returns the firmware that a unit had when a ended with a pass; nil if a did
// not, or if nobody knows, as where the unit has updated itself before a rework.
func (a Attempt) LeftBehind() *Firmware {
	switch {
	case a.Outcome != Pass:
		return nil
	case a.Verdict == ReworkNVS:
		return a.Firmware
	default:
		return &Firmware{Release: a.Release, Digest: a.ReleaseDigest, Proved: true}
	}
}

func (f Firmware) check() error {
	if f.Release == "" || len(f.Release) > maxName {
		return fmt.Errorf("firmware %.40q: want the name of a release, of at most %d bytes", f.Release, maxName)
	}
	if sum, err := hex.DecodeString(f.Digest); err != nil || len(sum) != 0 && len(sum) != 32 {
		return errors.New("firmware digest: want a SHA-256 in hex")
	}
	return nil
}
