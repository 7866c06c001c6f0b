package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// provision runs the phases, again from the start where the policy says that
// it may help. A unit that did not hold what it was believed to has one try more.
func (a *attempt) provision(ctx context.Context) error {
	for a.try = 1; ; a.try++ {
		err := a.runPhases(ctx)
		if errors.Is(err, flasher.IO) && a.departs(ctx) {
			return &phaseError{phaseOf(err), flasher.Detached}
		}
		if err == nil || ctx.Err() != nil || a.try > a.Retries && !a.believes() || !ruleFor(err).retry {
			return err
		}
		a.log.Warn("trying the unit again", "err", err)
		a.untouched.strayed = a.untouched.strayed || isAstray(err)
		a.hangUp()
	}
}

func (a *attempt) runPhases(ctx context.Context) error {
	a.ended = 0
	a.result.Verified, a.result.Firmware, a.result.Notes, a.blind = nil, nil, nil, false
	for i, p := range phases {
		if !a.needs(p) {
			a.ended += p.share
			continue
		}
		if err := a.runPhase(ctx, p, a.next(phases[i+1:])); err != nil {
			return &phaseError{p.name, err}
		}
		a.ended += p.share
	}
	if a.blind {
		return a.unverified()
	}
	return nil
}

// needs reports whether the unit goes through p.
func (a *attempt) needs(p phase) bool {
	if a.blind {
		return p.blind
	}
	return p.when == nil || p.when(a)
}

// next names the first of the phases to come that the unit goes through.
func (a *attempt) next(rest []phase) string {
	i := slices.IndexFunc(rest, a.needs)
	if i < 0 {
		return ""
	}
	return rest[i].name
}

func (a *attempt) runPhase(ctx context.Context, p phase, next string) error {
	a.now = p
	a.board.phase(a.slot.Slot, p.name, a.progress(0))
	if p.turn {
		giveBack, err := a.takeTurn(ctx)
		if err != nil {
			return err
		}
		defer giveBack()
	}
	whole := ctx
	if p.limit > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, p.limit, fmt.Errorf("%w: %s took longer than %v", flasher.Timeout, p.name, p.limit))
		defer cancel()
		ctx = limited
	}
	start := time.Now()
	err := p.run(a, ctx)
	took := time.Since(start)
	a.metrics.phaseEnded(p.name, took)
	a.log.Debug("phase", "name", p.name, "took", took, "err", err)
	rerr := a.keep(whole, a.recording, func() error {
		return a.Store.EndPhase(a.record.ID, jobs.Phase{Name: p.name, Start: start, Seconds: took.Seconds(), Next: next})
	})
	if rerr != nil && err == nil {
		err = &fault{kindStore, rerr}
	}
	return err
}

// progress returns how much of the whole attempt is done when part of the
// running phase is.
func (a *attempt) progress(part float64) float64 {
	return (float64(a.ended) + part*float64(a.now.share)) / 100
}
