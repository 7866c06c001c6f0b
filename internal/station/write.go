package station

import (
	"context"
	"fmt"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/jobs"
)

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
	if a.keepsFirmware() {
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
