package station_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

const (
	left  = "1-1.1"
	right = "1-1.2"
)

func TestUnitGoesThroughTheLine(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		a := b.result(left)
		b.expect(a, jobs.Pass, "", "")
		b.provisioned(unit, unitOf(1))

		var phases []string
		for _, p := range a.Phases {
			phases = append(phases, p.Name)
			if p.Seconds < 0 || p.Start.IsZero() {
				t.Errorf("phase %s is not timed: %+v", p.Name, p)
			}
		}
		if diff := cmp.Diff(slices.DeleteFunc(station.Phases(), onlyReworks), phases); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		if a.Unit != unitOf(1) || a.Slot != "left" || a.Release != "demo" || !a.BootChecked || len(a.Verified) == 0 {
			t.Errorf("the record lacks something: %+v", a)
		}
		totals := b.View().Totals
		if totals.Units != 1 || totals.Passed != 1 || totals.FirstPassYield != 1 || totals.CycleMedian <= 0 {
			t.Errorf("totals %+v", totals)
		}
	})
}

// onlyReworks reports whether only units go through a phase whose firmware stays.
func onlyReworks(phase string) bool { return phase == "read_nvs" || phase == "verify_firmware" }

func TestSharesFillTheProgressBar(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		last := 0.0
		views := b.Watch(b.Context())
		b.insert(left, newUnit(1))
		for view := range views {
			s := view.Slots[0]
			if s.State == station.Passed {
				break
			}
			if s.State != station.Working {
				continue
			}
			if s.Progress < last || s.Progress > 1 {
				t.Errorf("progress went from %v to %v in %s", last, s.Progress, s.Phase)
			}
			last = s.Progress
		}
		if last < 0.9 {
			t.Errorf("progress ended at %v", last)
		}
	})
}

// Promise 4.
func TestPassedUnitIsNotWrittenAgain(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		b.expect(b.result(left), jobs.Pass, "", "")
		before := bytes.Clone(unit.Flash().Bytes())
		b.remove(left)
		b.insert(right, unit)
		b.expect(b.result(right), jobs.Refused, "ledger", "already_done")
		if !bytes.Equal(before, unit.Flash().Bytes()) {
			t.Error("the flash was touched")
		}
	})
}

// A unit that is refused was done at a time by the station's clock on the wall.
func TestRefusedByLocalTime(t *testing.T) {
	local := time.Local
	time.Local = time.FixedZone("NZDT", 13*60*60)
	defer func() { time.Local = local }()
	onBench(t, nil, func(b *bench) {
		b.insert(left, newUnit(1))
		passed := b.result(left)
		b.remove(left)
		b.insert(left, newUnit(1))
		a := b.result(left)
		b.expect(a, jobs.Refused, "ledger", "already_done")
		if want := passed.End.Add(13*time.Hour).UTC().Format("2 January 2006 at 15:04") + " NZDT"; a.Failure == nil || !strings.Contains(a.Failure.Text, want) {
			t.Errorf("it says %+v, want %q", a.Failure, want)
		}
	})
}

func TestReworkWritesTheNVSPartitionOnly(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		b.expect(b.result(left), jobs.Pass, "", "")
		// As after some days at a customer's: the firmware's own data elsewhere
		// in the flash, and other things in NVS.
		flash := unit.Flash()
		if err := flash.Program(0x7F0000, []byte("a customer's data")); err != nil {
			t.Fatal(err)
		}
		r, err := release()
		if err != nil {
			t.Fatal(err)
		}
		nvs := [2]int{int(r.NVS.Offset), int(r.NVS.Offset) + r.NVS.Size}
		if err := flash.Program(nvs[0], make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(flash.Bytes())
		if _, err := b.AllowRework(b.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}); err != nil {
			t.Fatal(err)
		}
		// It is still in its slot, so it is begun at once.
		b.await(left, "work", func(s station.SlotView) bool { return s.State == station.Working })
		a := b.result(left)
		b.expect(a, jobs.Pass, "", "")
		if a.Rework == nil || a.Rework.Reason != "broker moved" || a.Rework.By != "Eve" {
			t.Errorf("the record does not tell of the rework: %+v", a.Rework)
		}
		after := flash.Bytes()
		if !slices.Equal(before[:nvs[0]], after[:nvs[0]]) || !slices.Equal(before[nvs[1]:], after[nvs[1]:]) {
			t.Error("the flash outside the NVS partition was touched")
		}
		b.provisioned(unit, unitOf(1))
		for _, p := range a.Phases {
			if p.Name == "write" || p.Name == "verify" {
				t.Errorf("phase %s ran", p.Name)
			}
		}
		// The permission is used up.
		b.remove(left)
		b.insert(left, unit)
		b.expect(b.result(left), jobs.Refused, "ledger", "already_done")
	})
}

// Promise 5.
func TestSameUnitInTwoSlots(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "write")
		b.insert(right, newUnit(1)) // a clone with the same MAC
		b.expect(b.result(right), jobs.Refused, "ledger", "busy")
		b.expect(b.result(left), jobs.Pass, "", "")
	})
}

func TestUnpluggedInEachPhase(t *testing.T) {
	for _, phase := range slices.DeleteFunc(station.Phases(), onlyReworks) {
		switch phase {
		case "ledger", "credentials": // over at once: no time to unplug
			continue
		}
		t.Run(phase, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				unit := newUnit(1)
				b.insert(left, unit)
				b.awaitPhase(left, phase)
				attempt := b.slot(left).Attempt
				b.remove(left)
				time.Sleep(20 * time.Second)
				a, err := b.store.Attempt(attempt)
				if err != nil {
					t.Fatal(err)
				}
				ended := phase
				if phase == "reboot" {
					ended = "check" // a unit may leave the USB with its reset, if it comes back
				}
				b.expect(a, jobs.Error, ended, "detached")

				// And begun once more it ends well.
				b.insert(left, unit)
				b.expect(b.result(left), jobs.Pass, "", "")
				b.provisioned(unit, unitOf(1))
			})
		})
	}
}

func TestFaultsAreBlamedRightly(t *testing.T) {
	for _, tc := range []struct {
		name        string
		fault       espsim.Fault
		outcome     jobs.Outcome
		phase, kind string
	}{
		{"flash without a plausible ID", espsim.Fault{Kind: espsim.FlashID, Value: 0xFFFFFF}, jobs.Fail, "attach", "bad_flash"},
		{"flash that does not take it", espsim.Fault{Kind: espsim.DeadSector, Address: 0x20000}, jobs.Fail, "verify", "mismatch"},
		{"NVS that does not take it", espsim.Fault{Kind: espsim.DeadSector, Address: 0x9000}, jobs.Fail, "verify_nvs", "blank"},
		{"does not start", espsim.Fault{Kind: espsim.SilentApp}, jobs.Fail, "check", "silent"},
		{"stays in its loader", espsim.Fault{Kind: espsim.StuckDownload}, jobs.Fail, "check", "silent"},
		{"calls itself another", espsim.Fault{Kind: espsim.OtherDeviceID}, jobs.Fail, "check", "wrong_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				b.insert(left, newUnit(1, tc.fault))
				a := b.result(left)
				b.expect(a, tc.outcome, tc.phase, tc.kind)
				if a.Failure.Hint == "" || a.Failure.Text == "" {
					t.Errorf("the operator is told nothing: %+v", a.Failure)
				}
			})
		})
	}
}

// Promise 10.
func TestStopLetsUnitsFinish(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "verify")
		b.stop()
		b.expect(b.result(left), jobs.Pass, "", "")
	})
}

func TestStopAbandonsWhatTakesTooLong(t *testing.T) {
	onBench(t, func(cfg *station.Config) { cfg.Grace = time.Second }, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "write")
		stopped := time.Now()
		b.stop()
		b.expect(b.result(left), jobs.Aborted, "write", "stopped")
		if took := time.Since(stopped); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestQuotaOfUnits(t *testing.T) {
	onBench(t, func(cfg *station.Config) { cfg.Units = 2 }, func(b *bench) {
		b.insert(left, newUnit(1))
		b.insert(right, newUnit(2))
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		b.ended <- nil
		if totals := b.View().Totals; totals.Passed != 2 {
			t.Errorf("totals %+v", totals)
		}
	})
}

// source is a source of credentials made for a test.
type source func(ctx context.Context, unit string) (credentials.Credentials, error)

func (source) Name() string { return "server" }

func (s source) Fetch(ctx context.Context, unit string) (credentials.Credentials, error) {
	return s(ctx, unit)
}

func withSource(s source) func(*station.Config) {
	return func(cfg *station.Config) { cfg.Source = s }
}

// Promise 3.
func TestCredentialsOfAnotherUnitAreNotWritten(t *testing.T) {
	wrong := source(func(context.Context, string) (credentials.Credentials, error) {
		return credentials.Credentials{DeviceID: unitOf(2), MQTTUser: unitOf(2), MQTTPassword: "secret"}, nil
	})
	onBench(t, withSource(wrong), func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		b.expect(b.result(left), jobs.Error, "credentials", "bad_answer")
		if bytes.Contains(unit.Flash().Bytes(), []byte(unitOf(2))) {
			t.Error("another unit's credentials are in the flash")
		}
	})
}

func TestRefusedTokenStopsTheLine(t *testing.T) {
	refused := source(func(context.Context, string) (credentials.Credentials, error) {
		return credentials.Credentials{}, credentials.ErrUnauthorized
	})
	onBench(t, withSource(refused), func(b *bench) {
		b.insert(left, newUnit(1))
		b.expect(b.result(left), jobs.Error, "credentials", "unauthorized")
		if b.Ready() == nil || b.View().Held == "" {
			t.Error("the line has not stopped")
		}
		untouched := newUnit(2)
		b.insert(right, untouched)
		time.Sleep(time.Minute)
		if s := b.slot(right); s.State != station.Empty {
			t.Errorf("a unit was begun on a stopped line: %+v", s)
		}
	})
}

// A unit that may be reworked is not begun on a line that has stopped, and is seen to
// leave its slot.
func TestReworkOnAStoppedLineWaits(t *testing.T) {
	refused := source(func(_ context.Context, unit string) (credentials.Credentials, error) {
		if unit == unitOf(2) {
			return credentials.Credentials{}, credentials.ErrUnauthorized
		}
		return credentials.Credentials{DeviceID: unit, MQTTUser: unit, MQTTPassword: "12345678901234567890"}, nil
	})
	onBench(t, withSource(refused), func(b *bench) {
		b.insert(left, newUnit(1))
		b.expect(b.result(left), jobs.Pass, "", "")
		b.insert(right, newUnit(2))
		b.expect(b.result(right), jobs.Error, "credentials", "unauthorized")
		must(b.AllowRework(b.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}))
		time.Sleep(time.Minute)
		if s := b.slot(left); s.State != station.Passed || s.Rework != station.ReworkArmed {
			t.Errorf("the unit in the slot is shown as %+v", s)
		}
		b.remove(left)
		if s := b.slot(left); s.State != station.Empty {
			t.Errorf("the empty slot is shown as %+v", s)
		}
	})
}

func TestSilentServerHoldsTheUnit(t *testing.T) {
	b0 := make(chan *bench, 1)
	slow := source(func(ctx context.Context, unit string) (credentials.Credentials, error) {
		b := <-b0
		b.AwaitCredentials("Waiting for the config server.")
		select {
		case <-time.After(10 * time.Minute):
		case <-ctx.Done():
			return credentials.Credentials{}, errors.Join(credentials.ErrUnavailable, ctx.Err())
		}
		return credentials.Credentials{DeviceID: unit, MQTTUser: unit, MQTTPassword: "12345678901234567890"}, nil
	})
	onBench(t, withSource(slow), func(b *bench) {
		b0 <- b
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "credentials")
		time.Sleep(5 * time.Minute)
		if s := b.slot(left); s.State != station.Working || b.View().Held == "" {
			t.Errorf("the unit is not held: %+v, held %q", s, b.View().Held)
		}
		time.Sleep(6 * time.Minute)
		b.expect(b.result(left), jobs.Pass, "", "")
		if b.View().Held != "" {
			t.Error("the line is still held")
		}
	})
}
