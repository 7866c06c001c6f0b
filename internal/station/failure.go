package station

import (
	"errors"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/credentials"
)

// The kinds of failure that are the station's own. With flasher.Kinds they are
// all that a record or a metric can hold.
const (
	kindAlreadyDone   = "already_done"   // the unit has passed before
	kindBusy          = "busy"           // the same unit is in another slot
	kindLapsed        = "lapsed"         // the unit's rework ended before it was done
	kindOtherLayout   = "other_layout"   // the partition table is not this release's
	kindOtherFirmware = "other_firmware" // the unit's firmware is not what the record says
	kindUnfit         = "unfit"          // the unit's NVS cannot hold what a rework asks for
	kindTemplate      = "template"       // the NVS template does not work
	kindEscrow        = "escrow"         // the unit's NVS keys cannot be kept
	kindStore         = "store"          // the record cannot be written
	kindStopped       = "stopped"        // flashd was stopped
	kindSilent        = "silent"         // the unit did not start
	kindWrongID       = "wrong_id"       // the unit says another Device ID than its MAC
	kindUnprovisioned = "unprovisioned"  // the unit does not find its configuration
	kindUnauthorized  = "unauthorized"   // the config server refuses the station
	kindUnavailable   = "unavailable"    // the config server does not answer
	kindUnknownUnit   = "unknown_unit"   // no credentials for this unit
	kindBadAnswer     = "bad_answer"     // credentials that cannot be right, or do not suit the template
	kindPort          = "port"           // the port cannot be opened
	kindOther         = "other"          // none of these: a gap in the table below
)

// Kinds returns every word that can stand as the kind of a failure.
func Kinds() []string {
	kinds := []string{
		kindAlreadyDone, kindBusy, kindLapsed, kindOtherLayout, kindOtherFirmware, kindUnfit, kindTemplate, kindEscrow, kindStore, kindStopped, kindSilent,
		kindWrongID, kindUnprovisioned, kindUnauthorized, kindUnavailable, kindUnknownUnit, kindBadAnswer, kindPort, kindOther,
	}
	for _, k := range flasher.Kinds {
		kinds = append(kinds, string(k))
	}
	return kinds
}

// fault is a failure that the station itself found.
type fault struct {
	kind string
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// phaseError says in which phase something failed.
type phaseError struct {
	phase string
	err   error
}

func (e *phaseError) Error() string { return e.phase + ": " + e.err.Error() }
func (e *phaseError) Unwrap() error { return e.err }

func phaseOf(err error) string {
	var e *phaseError
	if errors.As(err, &e) {
		return e.phase
	}
	return ""
}

// kindOf finds the one word for a failure.
func kindOf(err error) string {
	var f *fault
	var e *flasher.Error
	var k flasher.Kind
	switch {
	case errors.As(err, &f):
		return f.kind
	case errors.Is(err, credentials.ErrUnauthorized):
		return kindUnauthorized
	case errors.Is(err, credentials.ErrUnknownUnit):
		return kindUnknownUnit
	case errors.Is(err, credentials.ErrBadAnswer):
		return kindBadAnswer
	case errors.Is(err, credentials.ErrUnavailable):
		return kindUnavailable
	case errors.As(err, &e):
		return string(e.Kind)
	case errors.As(err, &k):
		return string(k)
	default:
		return kindOther
	}
}
