package station

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/jobs"
)

// A phase is one named step of every attempt. Its name stands in logs,
// metrics, the record, the API and on the board.
type phase struct {
	name  string
	limit time.Duration       // 0: as long as it takes
	share int                 // of the progress bar, in percent
	when  func(*attempt) bool // nil: with every unit
	blind bool                // with a unit that tells nothing, too
	turn  bool                // needs so much of the hub's bandwidth that units take turns
	run   func(*attempt, context.Context) error
}

// phases is the path of one unit. All that verifies comes behind the last write: on
// a line without checksums a write can hit what was verified before (package
// flasher, "Lines without checksums"). To connect takes long where a bridge that
// does not answer its driver holds up its own reset: 25 s on a cp210x.
var phases = []phase{
	{name: "connect", limit: time.Minute, share: 4, blind: true, run: (*attempt).connect},
	{name: "identify", limit: 10 * time.Second, share: 1, blind: true, run: (*attempt).identify},
	{name: "ledger", share: 1, run: (*attempt).ledger},
	{name: "attach", limit: 20 * time.Second, share: 4, blind: true, run: (*attempt).attach},
	{name: "read_nvs", limit: 2 * time.Minute, share: 2, when: (*attempt).keepsNVS, run: (*attempt).readNVS},
	{name: "write", limit: 10 * time.Minute, share: 58, when: (*attempt).writesFirmware, turn: true, blind: true, run: (*attempt).write},
	{name: "credentials", share: 1, run: (*attempt).credentials},
	{name: "personalize", limit: time.Minute, share: 4, run: (*attempt).personalize},
	{name: "verify", limit: 2 * time.Minute, share: 12, when: (*attempt).writesFirmware, run: (*attempt).verify},
	{name: "verify_nvs", limit: 30 * time.Second, share: 2, run: (*attempt).verifyNVS},
	{name: "verify_firmware", limit: 2 * time.Minute, share: 2, when: (*attempt).keepsFirmware, run: (*attempt).verifyFirmware},
	{name: "reboot", limit: 10 * time.Second, share: 2, blind: true, run: (*attempt).reboot},
	{name: "check", limit: 0, share: 7, run: (*attempt).check}, // BootCheck.Limit
}

// Phases returns the names of all phases, in order.
func Phases() []string {
	names := make([]string, len(phases))
	for i, p := range phases {
		names[i] = p.name
	}
	return names
}

// connect brings the chip into download mode. Until then a chip with an empty
// flash starts over and over, and leaves the USB each time if it has a USB
// unit of its own.
func (a *attempt) connect(ctx context.Context) error {
	for {
		own := a.port
		err := a.connectOnce(ctx)
		switch {
		case errors.Is(err, flasher.Detached):
		case isDead(err) && a.revive(ctx):
		case err != nil && a.revived:
			return fmt.Errorf("%w; %w", err, errResetTried)
		default:
			return err
		}
		if err := a.comeBack(ctx); err != nil {
			return err
		}
		if a.isOther(own) {
			a.port = own // the other one is begun next
			return flasher.Detached
		}
	}
}

func (a *attempt) connectOnce(ctx context.Context) error {
	port, err := a.openPort(ctx)
	if err != nil {
		return err
	}
	a.dev, err = flasher.Connect(ctx, port, flasher.Options{
		Wiring: flasher.WiringOf(a.port.VID, a.port.PID),
		Baud:   a.Flasher.Baud, NoStub: a.Flasher.NoStub, Reset: a.Flasher.Reset,
		UnverifiedFlash: a.unverifiedFlash(),
		Logf:            func(format string, args ...any) { a.log.Info(fmt.Sprintf(format, args...)) },
	})
	if err == nil {
		bound := a.port
		a.bound.Store(&bound)
	}
	return err
}

const (
	// absence is how long a unit may be off the USB after a reset: enumeration
	// takes half a second, behind a busy hub some.
	absence = 5 * time.Second
	// eventLag is how much later than the port's failure the kernel's word
	// about it may come.
	eventLag = 100 * time.Millisecond
)

// comeBack waits for a unit that left the USB with a reset, and takes the port
// that it comes back with. One that stays away was taken out.
func (a *attempt) comeBack(ctx context.Context) error {
	select {
	case <-time.After(eventLag):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, absence, flasher.Detached)
	defer cancel()
	device, err := a.slot.presence.until(ctx, present)
	if err == nil {
		a.port = *device
	}
	return err
}

// identify learns which unit it is, and that it is one for this release.
func (a *attempt) identify(ctx context.Context) error {
	if err := a.dev.Identify(ctx); err != nil {
		return err
	}
	if a.dev.Security().SecureDownload {
		return a.goBlind()
	}
	unit := a.dev.MAC().DeviceID()
	if known := a.decision.Unit.ID; known != "" && known != unit {
		a.port = a.home // if the other one has come with a port of its own, it is begun next
		return &fault{string(flasher.WrongUnit), fmt.Errorf("unit %s was changed for %s", known, unit)}
	}
	a.home = a.port
	a.board.identified(a.slot.Slot, unit, a.dev.Chip().Title)
	if err := a.rightChip(); err != nil {
		return err
	}
	if err := a.dev.CheckRevision(ctx, a.Release.MinRevision, a.Release.MaxRevision); err != nil {
		return err
	}
	if security := a.dev.Security(); security != (flasher.Security{}) {
		return &fault{string(flasher.Secured), fmt.Errorf("the unit has %s enabled", security)}
	}
	return nil
}

func (a *attempt) rightChip() error {
	if chip := a.dev.Chip(); chip != a.plan.chip {
		return &fault{string(flasher.WrongChip), fmt.Errorf("the unit has the chip %s, release %s is for %s", chip, a.Release.Name, a.plan.chip)}
	}
	return nil
}

// ledger asks the record whether this unit may be written, and has the unit's
// credentials fetched while its firmware is.
func (a *attempt) ledger(ctx context.Context) error {
	if a.decision.Unit.ID == "" {
		err := a.keep(ctx, a.recording, func() (err error) {
			a.decision, err = a.Store.Identify(a.record.ID, a.dev.MAC().DeviceID(), a.dev.Chip().Name)
			return err
		})
		if err != nil {
			return &fault{kindStore, err}
		}
		a.log = a.log.With("unit", a.decision.Unit.ID)
	}
	switch a.decision.Verdict {
	case jobs.AlreadyPassed:
		return &fault{kindAlreadyDone, fmt.Errorf("unit %s passed on %s", a.decision.Unit.ID, a.decision.Unit.PassedAt.Local().Format("2 January 2006 at 15:04 MST"))}
	case jobs.Lapsed:
		return &fault{kindLapsed, fmt.Errorf("the rework of unit %s was begun, and expired or was cancelled before it was done", a.decision.Unit.ID)}
	case jobs.Busy:
		return &fault{kindBusy, fmt.Errorf("unit %s is being worked on in slot %s", a.dev.MAC().DeviceID(), a.decision.Other.Slot)}
	}
	if err := a.checkRework(); err != nil {
		return err
	}
	if a.keepsNVS() {
		if err := a.findHeld(ctx); err != nil {
			return err
		}
	}
	if a.asksEarly() {
		a.ask()
	}
	if how := reworking(a.decision.Verdict); how != "" {
		a.board.rework(a.slot.Path, how)
	}
	return nil
}

// writesFirmware reports whether more is written than what is the unit's own.
func (a *attempt) writesFirmware() bool { return a.decision.Verdict != jobs.ReworkNVS }

// keepsFirmware reports whether the firmware stays, and is to be proved untouched.
func (a *attempt) keepsFirmware() bool { return !a.writesFirmware() }

// keepsNVS reports whether what the unit has in NVS stays, but for what is renewed:
// also in a rework that has to write the firmware, since nobody knows what it is.
func (a *attempt) keepsNVS() bool { return a.decision.Rework != nil && !a.decision.Rework.Reflash }

// attach makes the flash ready: stub, baud rate, size.
func (a *attempt) attach(ctx context.Context) error {
	if err := a.dev.StartStub(ctx); err != nil {
		return err
	}
	if err := a.dev.AttachFlash(ctx); err != nil {
		return err
	}
	if size := a.dev.Flash().Size(); size < a.Release.FlashSize && !a.blind {
		return &fault{string(flasher.TooLarge), fmt.Errorf("the unit has %d MB of flash, release %s needs %d MB", size>>20, a.Release.Name, a.Release.FlashSize>>20)}
	}
	if !a.writesFirmware() {
		return a.sameLayout(ctx)
	}
	return nil
}

// write puts the release into the flash. A unit that was here before may hold
// some of it already.
func (a *attempt) write(ctx context.Context) error {
	before := 0
	for _, s := range a.plan.segments {
		err := a.writeSegment(ctx, s, func(done, _ int) {
			part := float64(before+done) / float64(a.plan.bytes)
			a.board.progress(a.slot.Slot, a.progress(part))
		})
		if err != nil {
			return err
		}
		before += s.Size
	}
	return nil
}

// writeSegment writes what the unit does not hold of s.
func (a *attempt) writeSegment(ctx context.Context, s *flasher.Packed, progress flasher.Progress) error {
	if changes, known := a.plan.changes[s]; known && a.believes() {
		return a.dev.WriteChanges(ctx, s, changes, progress)
	}
	held, err := a.holds(ctx, s)
	if err != nil || held {
		return err
	}
	return a.dev.WriteFlash(ctx, s, progress)
}

// believes reports whether the unit is taken to hold the release before. One that
// turned out not to is written whole at the next try.
func (a *attempt) believes() bool { return a.plan.changes != nil && a.try == 1 && !a.blind }

func (a *attempt) holds(ctx context.Context, s *flasher.Packed) (bool, error) {
	if a.decision.Unit.Attempts <= 1 && a.try == 1 || a.blind {
		return false, nil
	}
	return a.dev.Holds(ctx, s)
}

// verify has the chip say that it holds the release.
func (a *attempt) verify(ctx context.Context) error { return a.verifyAll(ctx, a.plan.segments) }

func (a *attempt) verifyAll(ctx context.Context, segments []*flasher.Packed) error {
	for _, s := range segments {
		if err := a.dev.Verify(ctx, s); err != nil {
			return err
		}
		a.result.Verified = append(a.result.Verified, regionOf(s))
	}
	return nil
}

func regionOf(s *flasher.Packed) jobs.Region {
	return jobs.Region{Name: s.Name, Offset: s.Offset, Size: s.Size}
}

// mayLeave reports whether a chip's reset may take its port off the USB: that
// of a USB unit of its own. A bridge stays.
func (a *attempt) mayLeave() bool {
	return flasher.WiringOf(a.port.VID, a.port.PID) != flasher.UART
}

// reboot starts what was written. A port without a reset line leaves that to
// whoever holds the board, and the boot check with it.
func (a *attempt) reboot(ctx context.Context) error {
	if a.mayLeave() {
		a.bound.Store(nil)
	}
	err := a.dev.Reboot(ctx)
	if !a.dev.HasResetLine() {
		a.result.BootCheckOff = true
		a.log.Warn("the port has no reset line: the boot check is left out")
		if errors.Is(err, flasher.Unsupported) {
			return nil
		}
	}
	if errors.Is(err, flasher.Detached) {
		return nil // a USB device of its own goes away with its chip; check waits for it
	}
	return err
}
