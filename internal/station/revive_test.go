package station_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// A port that gives no sync is reset once before the slot reports an error.
func TestSilentPortIsReset(t *testing.T) {
	deaf := espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}
	for _, tc := range []struct {
		name    string
		reset   error // what comes of the reset
		helps   bool
		outcome jobs.Outcome
		phase   string
	}{
		{name: "helps", helps: true, outcome: jobs.Pass},
		{name: "does not help", outcome: jobs.Error, phase: "connect"},
		{name: "fails", reset: errors.New("no permission"), outcome: jobs.Error, phase: "connect"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b *bench
			var resets []string
			reset := func(_ context.Context, d hotplug.Device) error {
				resets = append(resets, d.Path)
				if tc.helps {
					b.exchange(d.Path, newUnit(1))
				}
				return tc.reset
			}
			onBench(t, func(cfg *station.Config) { cfg.ResetPort = reset }, func(bench *bench) {
				b = bench
				b.insert(left, newUnit(1, deaf))
				a := b.result(left)
				kind := ""
				if tc.phase != "" {
					kind = "no_sync"
				}
				b.expect(a, tc.outcome, tc.phase, kind)
				if len(resets) != 1 || resets[0] != left {
					t.Errorf("resets of %q, want one of %s", resets, left)
				}
				if a.Failure != nil && !tellsOfPower(a) {
					t.Errorf("the operator is told %+v", a.Failure)
				}
			})
		})
	}
}

// A unit that does not answer because it was pulled out was pulled out.
func TestSilentPortHasLeft(t *testing.T) {
	deaf := espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}
	var b *bench
	reset := func(_ context.Context, d hotplug.Device) error {
		b.remove(d.Path)
		return fmt.Errorf("%w: no device there", flasher.Detached)
	}
	onBench(t, func(cfg *station.Config) { cfg.ResetPort = reset }, func(bench *bench) {
		b = bench
		b.insert(left, newUnit(1, deaf))
		attempt := b.await(left, "work", func(s station.SlotView) bool { return s.State == station.Working }).Attempt
		b.await(left, "empty", func(s station.SlotView) bool { return s.State == station.Empty })
		a, err := b.store.Attempt(attempt)
		if err != nil {
			t.Fatal(err)
		}
		b.expect(a, jobs.Error, "connect", "detached")
	})
}

// Nor is the port of a unit reset that flashd itself has stopped talking to.
func TestAbandonedPortIsNotReset(t *testing.T) {
	var resets atomic.Int32
	onBench(t, func(cfg *station.Config) {
		cfg.ResetPort = func(context.Context, hotplug.Device) error {
			resets.Add(1)
			return nil
		}
	}, func(b *bench) {
		b.insert(left, newUnit(1, espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}))
		b.await(left, "work", func(s station.SlotView) bool { return s.Phase == "connect" })
		b.stop()
		b.Abandon()
		b.await(left, "an end", func(s station.SlotView) bool { return s.State != station.Working })
		if n := resets.Load(); n != 0 {
			t.Errorf("the port was reset %d times", n)
		}
	})
}

func tellsOfPower(a jobs.Attempt) bool {
	return a.Failure != nil && strings.Contains(a.Failure.Hint, "power off and on")
}

// Only after a reset, or where none is to be had from a port that hangs, is the
// slot's power to be switched.
func TestPowerIsSwitchedOnlyWhereThatHelps(t *testing.T) {
	onBench(t, nil, func(b *bench) { // nobody can reset the port
		b.insert(left, newUnit(1, espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}))
		a := b.result(left)
		b.expect(a, jobs.Error, "connect", "no_sync")
		if tellsOfPower(a) {
			t.Errorf("the operator is told %+v", a.Failure)
		}
	})
}

// A port that does not open is reset, too.
func TestHungPortIsReset(t *testing.T) {
	for _, helps := range []bool{true, false} {
		t.Run(fmt.Sprintf("helps %v", helps), func(t *testing.T) {
			var hangs atomic.Bool
			hangs.Store(true)
			onBench(t, func(cfg *station.Config) {
				open := cfg.Open
				cfg.Open = func(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
					if hangs.Load() {
						<-ctx.Done()
						return nil, fmt.Errorf("open %s: %w", d.TTY, context.Cause(ctx))
					}
					return open(ctx, d)
				}
				cfg.ResetPort = func(context.Context, hotplug.Device) error {
					hangs.Store(!helps)
					return nil
				}
			}, func(b *bench) {
				b.insert(left, newUnit(1))
				a := b.result(left)
				if helps {
					b.expect(a, jobs.Pass, "", "")
					return
				}
				b.expect(a, jobs.Error, "connect", "io")
				if !tellsOfPower(a) || a.Failure.Text != "The slot's port hangs, and resetting it did not help." {
					t.Errorf("the operator is told %+v", a.Failure)
				}
			})
		})
	}
}

// A port that hangs after the reboot is no fault of the unit's.
func TestPortThatHangsAfterTheReboot(t *testing.T) {
	var opened atomic.Int32
	onBench(t, func(cfg *station.Config) {
		open := cfg.Open
		cfg.Retries = 0
		cfg.Open = func(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
			if opened.Add(1) > 1 {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return open(ctx, d)
		}
	}, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "check")
		b.mu.Lock()
		unit := b.units[left]
		b.mu.Unlock()
		unit.Unplug() // with its reset
		unit.Plug()
		b.expect(b.result(left), jobs.Error, "check", "io")
	})
}

// A board in a place that is no slot is left alone, with a note.
func TestBoardThatIsInNoSlot(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		unit := newUnit(1)
		for range 3 {
			b.insert("1-7", unit)
			time.Sleep(time.Minute)
			b.remove("1-7")
		}
		if got := len(b.View().Slots); got != 2 {
			t.Errorf("the board shows %d slots, want 2", got)
		}
		for a, err := range b.store.Attempts(jobs.Filter{}) {
			t.Errorf("there is an attempt: %+v, %v", a, err)
		}
		if got := strings.Count(b.log.String(), `level=INFO msg="not a slot" path=1-7`); got != 1 {
			t.Errorf("%d notes, want 1:\n%s", got, b.log)
		}
		if strings.Contains(b.log.String(), "WARN") || strings.Contains(b.log.String(), "ERROR") {
			t.Errorf("it is more than a note:\n%s", b.log)
		}
	})
}

// What no use can be made of is shown in its slot until it is gone or can be used,
// and is no attempt.
func TestSlotHoldsWhatCannotBeUsed(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		useless := hotplug.Event{Kind: hotplug.Unusable, Device: hotplug.Device{Path: left}, Why: errors.New("no driver has made a tty for it")}
		empty := func(s station.SlotView) bool { return s.State == station.Empty && s.Message == "" }
		shown := func(s station.SlotView) bool {
			return s.State == station.Errored && s.Message == "What is in the slot cannot be used: no driver has made a tty for it." && s.Advice != ""
		}
		b.events <- useless
		b.events <- useless
		b.await(left, "what cannot be used", shown)
		b.events <- hotplug.Event{Kind: hotplug.Detach, Device: useless.Device}
		b.await(left, "empty", empty)
		b.events <- useless
		b.await(left, "what cannot be used", shown)
		b.insert(left, newUnit(1))
		b.awaitPass(left, unitOf(1))
		b.events <- useless
		synctest.Wait()
		if s := b.slot(left); s.State != station.Passed {
			t.Errorf("the slot that has passed a unit shows %+v", s)
		}
		for a, err := range b.store.Attempts(jobs.Filter{}) {
			if err != nil || a.Unit != unitOf(1) {
				t.Errorf("there is an attempt: %+v, %v", a, err)
			}
		}
	})
}

// exchange puts another unit at a path without a word of the USB.
func (b *bench) exchange(path string, unit *espsim.Chip) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Cleanup(unit.Close)
	b.units[path] = unit
}
