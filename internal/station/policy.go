package station

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/jobs"
)

// A rule says what a kind of failure means: whether to try again, whose fault
// it is, and what the operator is to do.
type rule struct {
	kind    string
	phase   string // "": any
	with    error  // that goes with the kind; nil: any
	outcome jobs.Outcome
	blame   jobs.Blame
	retry   bool
	says    string // in one sentence; "": the error's own words
	hint    string
}

const (
	hintReseat   = "Reseat the board in its slot; if it happens again with other boards, look at the slot's cable, hub and power."
	hintAside    = "Put the board aside as faulty."
	hintTakeOut  = "Take the board out."
	hintPower    = "Take the board out, switch the slot's power off and on (or pull the cable of its hub or adapter for a moment), and put the board in again; if that does not help, check the slot's IO0 and EN pins."
	hintEngineer = "Call the engineer: the next board would fail, too."
)

// rules is looked at from top to bottom; the first that fits counts.
var rules = []rule{
	// Nothing is wrong: the unit must not be written.
	{kind: kindAlreadyDone, outcome: jobs.Refused, blame: jobs.BlameRig, hint: "This board is already done: take it out. To provision it again use flashd rework."},
	{kind: kindBusy, outcome: jobs.Refused, blame: jobs.BlameRig, hint: hintTakeOut},
	{kind: kindLapsed, outcome: jobs.Refused, blame: jobs.BlameRig, hint: "This board is half done: allow another rework with flashd rework, or put it aside."},

	// The rig.
	{kind: string(flasher.Detached), with: errSilent, outcome: jobs.Error, blame: jobs.BlameRig, says: "The board left the USB as it started, and what came back did not say its Device ID.", hint: "Put the board in again. If all boards end like this, their firmware says nothing on this USB port: call the engineer, who may switch boot_check off."},
	{kind: string(flasher.Detached), outcome: jobs.Error, blame: jobs.BlameRig, says: "The board was taken out, or its connection broke.", hint: "Put the board in again; if nobody took it out, look at the slot's cable and hub."},
	{kind: string(flasher.WrongUnit), outcome: jobs.Error, blame: jobs.BlameRig, hint: "Leave a board in its slot until it is done. Put this one in again."},
	{kind: string(flasher.NoSync), phase: "connect", with: errResetTried, outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "No answer from the chip, and resetting its USB port did not help.", hint: hintPower},
	{kind: string(flasher.NoSync), phase: "connect", outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "No answer from the chip.", hint: "Reseat the board; if it happens again, check the slot's IO0 and EN pins."},
	{kind: string(flasher.WrongBootMode), outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "The chip starts its application instead of its loader.", hint: "Check the slot's IO0 pin, or hold BOOT while the board is put in."},
	{kind: string(flasher.NoSync), outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "The chip stopped answering.", hint: hintReseat},
	{kind: string(flasher.Timeout), phase: "write", outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "The chip stopped answering while its flash was written.", hint: hintReseat},
	{kind: string(flasher.Timeout), phase: "connect", outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "The slot's port hangs.", hint: hintPower},
	{kind: string(flasher.Timeout), outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "The chip stopped answering.", hint: hintReseat},
	{kind: string(flasher.Astray), outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "What the chip is told is garbled.", hint: hintReseat},
	{kind: string(flasher.BadFrame), outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "What the chip says is garbled.", hint: hintReseat},
	{kind: string(flasher.IO), phase: "connect", with: errResetTried, outcome: jobs.Error, blame: jobs.BlameRig, retry: true, says: "The slot's port hangs, and resetting it did not help.", hint: hintPower},
	{kind: string(flasher.IO), outcome: jobs.Error, blame: jobs.BlameRig, retry: true, hint: hintReseat},
	{kind: kindPort, with: fs.ErrNotExist, outcome: jobs.Error, blame: jobs.BlameRig, hint: "If the board is in, call the engineer; flashd ports lists the ports there are."},
	{kind: kindPort, with: fs.ErrPermission, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Call the engineer: flashd doctor says what flashd lacks."},
	{kind: kindPort, with: unix.ECONNREFUSED, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Nothing listens there: start what serves the port, or give the address that it has."},
	{kind: kindPort, with: unix.ENOTTY, outcome: jobs.Error, blame: jobs.BlameRig, says: "That is no serial port.", hint: "flashd ports lists those there are."},
	{kind: kindPort, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Let go of the port in the other program, or call the engineer."},
	{kind: kindStore, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Look for a full or failing disk, then start flashd again."},
	{kind: kindTemplate, outcome: jobs.Error, blame: jobs.BlameRig, hint: hintEngineer},
	{kind: kindEscrow, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Look at the folder that nvs.key_escrow_dir names, then start flashd again."},
	{kind: kindUnauthorized, outcome: jobs.Error, blame: jobs.BlameRig, says: "The config server refuses this station's token.", hint: "Give the station a valid token, then start flashd again."},
	{kind: kindUnavailable, outcome: jobs.Error, blame: jobs.BlameRig, says: "The config server does not answer.", hint: hintEngineer},
	{kind: kindUnknownUnit, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Put the board aside until it has credentials."},
	{kind: kindBadAnswer, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Put the board aside and tell the engineer: its credentials have to be put right where they come from."},
	{kind: kindOtherLayout, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Allow the rework again with --reflash."},
	{kind: kindOtherFirmware, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Find out what was done to the unit, then allow the rework again with --reflash."},
	{kind: kindUnfit, outcome: jobs.Error, blame: jobs.BlameRig, hint: "Allow the rework again with other values, or with --reflash, which gives the unit a new NVS partition."},
	{kind: string(flasher.WrongChip), outcome: jobs.Error, blame: jobs.BlameRig, hint: "This board is not for this release: take it out."},
	{kind: string(flasher.WrongRevision), outcome: jobs.Error, blame: jobs.BlameRig, hint: "This board is not for this release: take it out."},
	{kind: string(flasher.UnknownChip), outcome: jobs.Error, blame: jobs.BlameRig, hint: "This board is not for this line: take it out."},
	{kind: string(flasher.Secured), outcome: jobs.Error, blame: jobs.BlameRig, hint: "Plain images would leave it unable to start: take it out and call the engineer."},
	{kind: string(flasher.Unverifiable), phase: "verify", outcome: jobs.Error, blame: jobs.BlameRig, hint: "It is not recorded as passed. Start it and see whether it runs."},
	{kind: string(flasher.Unverifiable), outcome: jobs.Error, blame: jobs.BlameRig, hint: "Such a board cannot pass: take it out and call the engineer. flashd flash --unverified writes one without verifying it."},
	{kind: string(flasher.BadImage), outcome: jobs.Error, blame: jobs.BlameRig, hint: hintEngineer},
	{kind: string(flasher.Unsupported), outcome: jobs.Error, blame: jobs.BlameRig, hint: hintEngineer},

	// The unit.
	{kind: string(flasher.Rejected), outcome: jobs.Fail, blame: jobs.BlameUnit, retry: true, hint: hintAside},
	{kind: string(flasher.Mismatch), outcome: jobs.Fail, blame: jobs.BlameUnit, retry: true, says: "The flash does not hold what was written.", hint: hintAside},
	{kind: string(flasher.Blank), outcome: jobs.Fail, blame: jobs.BlameUnit, retry: true, says: "The flash is empty after it was written.", hint: hintAside},
	{kind: string(flasher.BadFlash), outcome: jobs.Fail, blame: jobs.BlameUnit, retry: true, hint: hintAside},
	{kind: string(flasher.TooLarge), outcome: jobs.Fail, blame: jobs.BlameUnit, hint: hintAside},
	{kind: string(flasher.BadMAC), says: "The chip's MAC address is blank, multicast or damaged.", outcome: jobs.Fail, blame: jobs.BlameUnit, hint: hintAside},
	{kind: kindSilent, outcome: jobs.Fail, blame: jobs.BlameUnit, hint: "Put the board in again; if it stays silent, put it aside as faulty."},
	{kind: kindWrongID, outcome: jobs.Fail, blame: jobs.BlameUnit, hint: hintAside},
	{kind: kindUnprovisioned, outcome: jobs.Fail, blame: jobs.BlameUnit, hint: hintEngineer},

	{kind: kindOther, outcome: jobs.Error, blame: jobs.BlameRig, hint: hintEngineer},
}

// ruleFor returns the first rule that fits err.
func ruleFor(err error) rule {
	kind, phase := kindOf(err), phaseOf(err)
	for _, r := range rules {
		if r.kind == kind && (r.phase == "" || r.phase == phase) && (r.with == nil || errors.Is(err, r.with)) {
			return r
		}
	}
	return rules[len(rules)-1]
}

// judge puts a failure into the words of the record.
func (a *attempt) judge(ctx context.Context, err error) (jobs.Outcome, *jobs.Failure) {
	if err == nil {
		return jobs.Pass, nil
	}
	if errors.Is(context.Cause(ctx), errStopped) || errors.Is(err, errStopped) {
		return jobs.Aborted, &jobs.Failure{
			Phase: phaseOf(err), Kind: kindStopped, Blame: jobs.BlameRig,
			Text: "The line was stopped before the unit was done.", Hint: "Leave the unit in its slot; it is begun again when the line goes on.",
		}
	}
	if errors.Is(context.Cause(ctx), flasher.Detached) {
		err = &phaseError{phaseOf(err), flasher.Detached}
	}
	rule := ruleFor(err)
	return rule.outcome, &jobs.Failure{
		Phase: phaseOf(err), Kind: kindOf(err), Blame: rule.blame, Text: rule.text(err), Hint: rule.hint,
	}
}

// text puts a failure into one sentence.
func (r rule) text(err error) string {
	if r.says != "" {
		return r.says
	}
	var phase *phaseError
	if errors.As(err, &phase) {
		err = phase.err
	}
	var chip *flasher.Error
	if errors.As(err, &chip) && chip.Err != nil {
		err = chip.Err // without the command and the kind, which stand beside it in the record
	}
	return sentence(err.Error())
}

// sentence gives an error's words a capital and a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if c := s[0]; 'a' <= c && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
	}
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

// stopsLine reports whether the next unit would meet the same failure for sure, so
// that none is begun.
func stopsLine(kind string) bool {
	return kind == kindUnauthorized || kind == kindStore || kind == kindTemplate || kind == kindEscrow
}
