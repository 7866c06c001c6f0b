package flasher

import (
	"context"
	"errors"
	"fmt"
)

// Kind says in one word what went wrong. The list is closed: kinds are metric
// labels and stored in records. A Kind is itself an error, so that
// errors.Is(err, flasher.NoSync) asks for it.
type Kind string

// The kinds of failure.
const (
	NoSync        Kind = "no_sync"         // nothing answered SYNC
	WrongBootMode Kind = "wrong_boot_mode" // the chip talks, but is not in download mode
	Timeout       Kind = "timeout"         // a command was not answered in time
	BadFrame      Kind = "bad_frame"       // an answer that makes no sense
	Rejected      Kind = "rejected"        // the chip refused a command; Code has its reason
	WrongChip     Kind = "wrong_chip"      // not the chip the image or caller wants
	WrongRevision Kind = "wrong_revision"  // a chip revision that the image does not run on
	UnknownChip   Kind = "unknown_chip"    // not a chip this package knows
	WrongUnit     Kind = "wrong_unit"      // another MAC than before: the board was changed
	BadMAC        Kind = "bad_mac"         // the efuse MAC is blank, multicast or fails its CRC
	BadFlash      Kind = "bad_flash"       // the flash chip is missing or gives no plausible ID
	BadImage      Kind = "bad_image"       // an image that must not be written
	TooLarge      Kind = "too_large"       // does not fit the flash or the partition
	Mismatch      Kind = "mismatch"        // the flash does not hold what was written
	Blank         Kind = "blank"           // the flash holds nothing (all FF) where data was written
	Astray        Kind = "astray"          // the chip began another write than it was told to, and may have erased something else
	Detached      Kind = "detached"        // the port is gone
	Unsupported   Kind = "unsupported"     // this loader cannot do that
	Secured       Kind = "secured"         // flash encryption or secure boot is on
	Unverifiable  Kind = "unverifiable"    // secure download mode is on: the chip says neither who it is nor what it holds
	IO            Kind = "io"              // the port failed in another way
)

// Kinds is the list of all kinds.
var Kinds = []Kind{
	NoSync, WrongBootMode, Timeout, BadFrame, Rejected, WrongChip, WrongRevision, UnknownChip, WrongUnit, BadMAC,
	BadFlash, BadImage, TooLarge, Mismatch, Blank, Astray, Detached, Unsupported, Secured, Unverifiable, IO,
}

func (k Kind) Error() string { return string(k) }

// Error is the error type of this package.
type Error struct {
	Op   string // what was being done: "sync", "write 0x10000"
	Cmd  Opcode // the command under way, or 0
	Kind Kind
	Code uint16 // the loader's own status: failed byte and reason byte; 0 if none
	Err  error  // the cause, or nil
}

// Error implements error.
func (e *Error) Error() string {
	s := "flasher: " + e.Op + ": "
	if e.Cmd != 0 {
		s += e.Cmd.String() + ": "
	}
	switch {
	case e.Code != 0:
		s += fmt.Sprintf("%s (%s, status %04x)", e.Kind, reason(e.Code), e.Code)
	default:
		s += string(e.Kind)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is e's Kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// commandError makes an Error of what went wrong on the way.
func commandError(op Opcode, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Cmd: op, Kind: kindOf(err), Err: causeOf(err)}
}

// kindOf finds the Kind in an error's chain; what has none, such as a cancelled
// context, counts as IO.
func kindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout // the caller's own limit
	}
	return IO
}

// causeOf keeps an error as a cause unless it is a bare Kind, which would only
// say the same word twice.
func causeOf(err error) error {
	if _, bare := err.(Kind); bare { //nolint:errorlint // one that is wrapped says more
		return nil
	}
	return err
}

// opError names the operation in an error of a command below it.
func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		named := *e
		if named.Op == "" {
			named.Op = op
		}
		return &named
	}
	return &Error{Op: op, Kind: kindOf(err), Err: causeOf(err)}
}
