package station_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// hasEnded waits for the end of Run, up to a time, for shutDown to see it, too.
func (b *bench) hasEnded(within time.Duration) {
	b.Helper()
	select {
	case err := <-b.ended:
		b.ended <- err
	case <-time.After(within):
		b.Errorf("the station has not ended within %v", within)
	}
}

// dead is a source that never answers.
func dead(ctx context.Context, _ string) (credentials.Credentials, error) {
	<-ctx.Done()
	return credentials.Credentials{}, credentials.ErrUnavailable
}

// A config server that does not answer keeps no line from taking up another
// configuration. The unit is begun again by the next one.
func TestDrainWaitsForNoServer(t *testing.T) {
	onBench(t, withSource(dead), func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		b.awaitPhase(left, "credentials")
		time.Sleep(time.Hour)
		b.drain()
		b.hasEnded(25 * time.Second)
		b.expect(b.result(left), jobs.Aborted, "credentials", "stopped")
		r, err := release()
		if err != nil {
			t.Fatal(err)
		}
		if nvs := unit.Flash().Bytes()[r.NVS.Offset:][:r.NVS.Size]; len(bytes.Trim(nvs, "\xFF")) > 0 {
			t.Error("NVS was written")
		}
	})
}

// One that has answered meanwhile has, however long the unit took.
func TestDrainLetsUnitsFinish(t *testing.T) {
	onBench(t, func(cfg *station.Config) { cfg.Grace = time.Millisecond }, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "write")
		b.drain()
		b.expect(b.result(left), jobs.Pass, "", "")
		b.hasEnded(time.Second)
	})
}

// What leaves while the station drains is noticed: the unit under way, and the one
// that is done.
func TestUnitsLeaveWhileItDrains(t *testing.T) {
	var e ear
	onBench(t, func(cfg *station.Config) { cfg.Source = source(dead); cfg.Grace = time.Hour; e.listens(cfg) }, func(b *bench) {
		b.insert(right, newUnit(2, espsim.Fault{Kind: espsim.FlashID, Value: 0xFFFFFF}))
		b.expect(b.result(right), jobs.Fail, "attach", "bad_flash")
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "credentials")
		attempt := b.slot(left).Attempt
		b.drain()
		time.Sleep(time.Minute)
		b.remove(right)
		if s := b.slot(right); s.State != station.Empty || s.LastUnit != unitOf(2) {
			t.Errorf("the unit that is done has gone: %+v", s)
		}
		b.insert(right, newUnit(3)) // for the next station
		time.Sleep(time.Minute)
		if s := b.slot(right); s.State != station.Empty {
			t.Errorf("a unit was begun: %+v", s)
		}
		b.remove(left)
		b.hasEnded(time.Second)
		a, err := b.store.Attempt(attempt)
		if err != nil {
			t.Fatal(err)
		}
		b.expect(a, jobs.Error, "credentials", "detached")
	})
	if words := e.words(); !slices.Contains(words, "detach") {
		t.Errorf("hooks are told %v", words)
	}
}
