package jobs

import (
	"errors"
	"fmt"
)

// ErrUnproven is returned when a pass comes without its evidence.
var ErrUnproven = errors.New("a pass needs its evidence")

// check reports what makes r impossible. Whether its unit may pass at all is
// for the store to say.
func (r Result) check() error {
	if err := r.checkFailure(); err != nil {
		return err
	}
	if r.Written < 0 {
		return fmt.Errorf("%d bytes written", r.Written)
	}
	if r.Credential != "" && !sourceRE.MatchString(r.Credential) {
		// The value is not named: it may be a credential.
		return errors.New("credential source: want one word of at most 16 lower-case letters, such as server")
	}
	for _, v := range r.Verified {
		if v.Name == "" || v.Size <= 0 {
			return fmt.Errorf("verified region %q at %#x has %d bytes", v.Name, v.Offset, v.Size)
		}
	}
	if r.Firmware != nil {
		if err := r.Firmware.check(); err != nil {
			return err
		}
	}
	if r.Outcome == Pass {
		return r.checkProof()
	}
	return nil
}

// checkFailure keeps fail and error apart: who is blamed decides which it is.
func (r Result) checkFailure() error {
	var blame Blame
	switch r.Outcome {
	case Pass:
		if r.Failure != nil {
			return fmt.Errorf("a pass with a failure: %s", r.Failure.Kind)
		}
		return nil
	case Fail:
		blame = BlameUnit
	case Error:
		blame = BlameRig
	case Aborted, Refused:
		if r.Failure == nil {
			return nil
		}
		blame = r.Failure.Blame
	default:
		return fmt.Errorf("outcome %.20q: want one of %q", r.Outcome, Outcomes)
	}
	if r.Failure == nil {
		return fmt.Errorf("outcome %s without a failure", r.Outcome)
	}
	if r.Failure.Blame != blame {
		return fmt.Errorf("outcome %s blames %q, want %q", r.Outcome, r.Failure.Blame, blame)
	}
	return r.Failure.check()
}

func (r Result) checkProof() error {
	switch {
	case len(r.Verified) == 0:
		return fmt.Errorf("%w: no region was verified on the chip", ErrUnproven)
	case !r.BootChecked && !r.BootCheckOff:
		return fmt.Errorf("%w: the unit was not seen to boot", ErrUnproven)
	}
	return nil
}
