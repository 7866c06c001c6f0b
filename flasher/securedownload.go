package flasher

import "fmt"

// A chip in secure download mode takes the few commands that write, and tells
// nothing: no register, and so no MAC, no revision and no flash ID, and neither
// digest nor content of its flash. What is written to it cannot be verified, nor
// credited to a unit (serial-protocol.rst "Supported in Secure Download Mode").

// takesBlind reports whether secure download mode lets a command through.
func takesBlind(op Opcode) bool {
	switch op {
	case Sync, SPIAttach, SPISetParams, ChangeBaudrate, FlashBegin, FlashData, FlashEnd, GetSecurityInfo:
		return true
	default:
		return false
	}
}

// refuseBlind is the answer to a command that the chip would not take: the ROM
// itself does not say why.
func (d *Device) refuseBlind(op Opcode) error {
	if !d.security.SecureDownload || takesBlind(op) {
		return nil
	}
	return &Error{Cmd: op, Kind: Unverifiable, Err: fmt.Errorf("the chip is in secure download mode and tells nothing")}
}

// goBlind decides whether to go on with a chip in secure download mode.
func (d *Device) goBlind() error {
	switch {
	case d.security.FlashEncryption || d.security.SecureBoot:
		return d.refuseProtected()
	case d.opts.UnverifiedFlash == 0:
		return &Error{Kind: Unverifiable, Err: fmt.Errorf(
			"the %s is in secure download mode: it takes plain writes, but tells neither its MAC nor what its flash holds, so that nothing written to it can be verified", d.chip)}
	}
	return nil
}

// flashSize is how much flash there is, in bytes, as far as is known.
func (d *Device) flashSize() int {
	if d.security.SecureDownload {
		return d.opts.UnverifiedFlash
	}
	return d.flash.Size()
}
