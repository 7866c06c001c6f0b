package flasher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hoptech.co.nz/flashd/flasher/slip"
)

// connectAttempts resets are tried before a chip is given up (loader.py
// connect: 7).
const connectAttempts = 7

// How long a loader gets for each of some SYNCs (loader.py SYNC_TIMEOUT: 100
// ms). One that is still starting hears none, so that there the first come soon
// one after the other.
var (
	syncs           = slices.Repeat([]time.Duration{100 * time.Millisecond}, 5)
	syncsAfterReset = append([]time.Duration{quickSync, 2 * quickSync}, syncs[:4]...)
	syncsAfterBaud  = syncs[:2]
)

// quickSync is what an answer takes at most, with 16 ms of an FTDI's latency.
const quickSync = 25 * time.Millisecond

// syncPayload lets the ROM measure the host's baud rate (serial-protocol.rst
// "Initial Synchronisation").
var syncPayload = append([]byte{0x07, 0x07, 0x12, 0x20}, bytes.Repeat([]byte{0x55}, 32)...)

// Connect brings the chip behind port into download mode. Identify has to
// follow.
//
// The Device owns port from then on, and closes it if Connect fails.
func Connect(ctx context.Context, port Port, opts Options) (*Device, error) {
	d := &Device{line: newTransport(port), opts: opts, baud: initialBaud}
	for _, step := range []func(context.Context) error{d.startRate, d.enterLoader} {
		if err := step(ctx); err != nil {
			return nil, closeAfter(d, err)
		}
	}
	return d, nil
}

// startRate puts the port at the rate the ROM starts with.
func (d *Device) startRate(ctx context.Context) error {
	err := d.setPortBaud(ctx, initialBaud)
	if errors.Is(err, errors.ErrUnsupported) {
		d.fixed = true
		return nil
	}
	return opError("connect", err)
}

// enterLoader resets the chip into its loader, in one way after the other,
// until something answers SYNC.
func (d *Device) enterLoader(ctx context.Context) error {
	ways, err := d.strategies()
	if err != nil {
		return &Error{Op: "reset", Kind: Unsupported, Err: err}
	}
	for attempt := range connectAttempts {
		d.line.text = nil
		answered, rerr := d.reset(ctx, ways[attempt%len(ways)])
		if rerr != nil || answered {
			return rerr
		}
		d.line.discard() // late answers from before the reset
		if err = d.syncAfterReset(ctx); err == nil {
			return nil
		}
		if !errors.Is(err, NoSync) || ctx.Err() != nil {
			return err
		}
	}
	return d.whySilent(err)
}

// syncAfterReset finds the loader. Without a reset line there was no reset, and
// a stub may run since an earlier session.
func (d *Device) syncAfterReset(ctx context.Context) error {
	if d.lineless {
		return d.syncTurning(ctx)
	}
	return d.syncFor(ctx, syncsAfterReset...)
}

// syncWithin asks a chip that is starting until it answers or the time is over.
func (d *Device) syncWithin(ctx context.Context, limit time.Duration) (answered bool, err error) {
	d.line.discard() // late answers from before the reset
	err = d.syncFor(ctx, slices.Repeat([]time.Duration{quickSync}, int(limit/quickSync))...)
	if errors.Is(err, NoSync) {
		return false, nil
	}
	return err == nil, err
}

// sync sends SYNC until it is answered.
func (d *Device) sync(ctx context.Context) error { return d.syncFor(ctx, syncs...) }

// syncTurning is sync for a loader that may have been left in the middle of a
// frame. A stub that missed one END, or got one too many, takes the ends of
// all frames for beginnings from then on (esp-flasher-stub slip.c) and hears
// nothing; one more END turns it round. A ROM takes that for an empty frame.
//
// A loader that was merely late is turned the wrong way by it. So an answer
// counts only if it cannot be one to an earlier SYNC; else it is asked again.
func (d *Device) syncTurning(ctx context.Context) error {
	turns := 0
	for range 6 {
		err := d.sync(ctx)
		switch {
		case err == nil && !d.unanswered:
			return nil
		case err == nil:
			d.unanswered = false
			if err := d.line.settle(ctx, allSaid, mostSaid); err != nil {
				return opError("sync", err)
			}
			continue
		case !errors.Is(err, NoSync) || ctx.Err() != nil || turns == 2:
			return err
		}
		turns++
		if err := d.line.sendFrame(ctx, []byte{slip.End}); err != nil {
			return opError("sync", err)
		}
	}
	return &Error{Op: "sync", Cmd: Sync, Kind: NoSync}
}

// syncFor sends a SYNC for each of the timeouts until one is answered.
func (d *Device) syncFor(ctx context.Context, timeouts ...time.Duration) error {
	for _, timeout := range timeouts {
		// The status has either length, since it is not known yet who answers.
		r, err := d.command(ctx, Sync, syncPayload, timeout)
		switch {
		case err == nil:
			// A ROM answers with a value, a stub with 0 (loader.py sync).
			d.stub = r.value == 0
			d.takeReplies(ctx)
			return nil
		case ctx.Err() != nil:
			return opError("sync", context.Cause(ctx))
		case !errors.Is(err, Timeout) && !errors.Is(err, Rejected):
			return opError("sync", err)
		}
		d.unanswered = true
	}
	return &Error{Op: "sync", Cmd: Sync, Kind: NoSync}
}

// syncReplies is how often a loader answers one SYNC (loader.py sync).
const syncReplies = 8

// takeReplies takes in the answers that follow the first. Those to SYNCs that
// were thought lost may come yet; the commands that follow pass them over.
func (d *Device) takeReplies(ctx context.Context) {
	for range syncReplies - 1 {
		step, cancel := context.WithTimeoutCause(ctx, quietLine, errQuiet)
		_, err := d.line.frame(step)
		cancel()
		if err != nil {
			return
		}
	}
}

// whySilent looks for a reason in what the chip printed instead of answering.
func (d *Device) whySilent(err error) error {
	mode, ok := bootMode(d.line.text)
	if ok && !bytes.Contains(mode, []byte("DOWNLOAD")) {
		return &Error{Op: "sync", Kind: WrongBootMode, Err: fmt.Errorf("the chip started with %q", mode)}
	}
	return err
}

// bootMode finds in a boot log how the chip has started:
// "boot:0x8 (SPI_FAST_FLASH_BOOT)".
func bootMode(log []byte) (mode []byte, ok bool) {
	i := bytes.Index(log, []byte("boot:0x"))
	if i < 0 {
		return nil, false
	}
	line, _, ok := bytes.Cut(log[i:], []byte("\n"))
	return bytes.TrimSpace(line), ok
}
