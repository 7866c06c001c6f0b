package station_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// withHubs is a fixture of hubs 1-1, 1-2, … with so many slots each.
func withHubs(most int, slots ...int) func(*station.Config) {
	return func(cfg *station.Config) {
		cfg.MaxPerHub = most
		cfg.Slots = nil
		for hub, n := range slots {
			for port := range n {
				path := fmt.Sprintf("1-%d.%d", hub+1, port+1)
				cfg.Slots = append(cfg.Slots, station.Slot{Path: path, Name: path})
			}
		}
	}
}

// written returns when the unit in a slot was written, once it has passed.
func (b *bench) written(path string) jobs.Phase {
	b.Helper()
	a := b.result(path)
	b.expect(a, jobs.Pass, "", "")
	i := slices.IndexFunc(a.Phases, func(p jobs.Phase) bool { return p.Name == "write" })
	if i < 0 {
		b.Fatalf("slot %s was not written: %+v", path, a)
	}
	return a.Phases[i]
}

// mostAtOnce counts how many phases ran at once. The record rounds their times to
// microseconds.
func mostAtOnce(phases []jobs.Phase) (most int) {
	for _, p := range phases {
		now := 0
		for _, q := range phases {
			if !q.Start.After(p.Start) && q.Start.Add(seconds(q)).After(p.Start.Add(2*time.Microsecond)) {
				now++
			}
		}
		most = max(most, now)
	}
	return most
}

func seconds(p jobs.Phase) time.Duration { return time.Duration(p.Seconds * float64(time.Second)) }

func waits(s station.SlotView) bool { return strings.HasPrefix(s.Message, "Waiting for its turn") }

// At most so many units behind one hub are written at once, in the order in
// which they came; another hub has turns of its own.
func TestUnitsBehindOneHubTakeTurns(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	onBench(t, func(cfg *station.Config) {
		withHubs(2, 5, 2)(cfg)
		cfg.Registry = registry
	}, func(b *bench) {
		came := []string{"1-1.4", "1-1.2", "1-1.5", "1-1.1", "1-1.3", "1-2.1", "1-2.2"}
		for i, path := range came {
			b.insert(path, newUnit(i))
			time.Sleep(100 * time.Millisecond)
		}
		var phases []jobs.Phase
		for _, path := range came {
			phases = append(phases, b.written(path))
		}
		first, second := phases[:5], phases[5:]
		if !slices.IsSortedFunc(first, func(p, q jobs.Phase) int { return p.Start.Compare(q.Start) }) {
			t.Errorf("not in the order in which they came: %+v", first)
		}
		if most := mostAtOnce(first); most != 2 {
			t.Errorf("%d units behind one hub were written at once, want 2", most)
		}
		if most := mostAtOnce(second); most != 2 || !second[1].Start.Before(first[2].Start) {
			t.Errorf("units of another hub waited: %+v", second)
		}
		waited := histogramOf(t, registry, "flashd_hub_wait_seconds")
		if at := waited.GetBucket()[0].GetCumulativeCount(); waited.GetSampleCount() != 7 || at != 4 {
			t.Errorf("of %d units %d were written at once, want 4 of 7", waited.GetSampleCount(), at)
		}
	})
}

func histogramOf(t *testing.T, registry *prometheus.Registry, name string) *dto.Histogram {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetHistogram()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return nil
}

func TestWithoutALimitNobodyWaits(t *testing.T) {
	onBench(t, withHubs(0, 4), func(b *bench) {
		var phases []jobs.Phase
		for n := range 4 {
			b.insert(fmt.Sprintf("1-1.%d", n+1), newUnit(n))
		}
		for n := range 4 {
			phases = append(phases, b.written(fmt.Sprintf("1-1.%d", n+1)))
		}
		if most := mostAtOnce(phases); most != 4 {
			t.Errorf("%d units were written at once, want 4", most)
		}
	})
}

// A unit that waits is told apart on the board, has no time limit running, and
// is untouched; taken out, it makes room for the next.
func TestWaitingUnit(t *testing.T) {
	onBench(t, withHubs(1, 3), func(b *bench) {
		first, second, third := newUnit(1), newUnit(2), newUnit(3)
		b.insert("1-1.1", first)
		b.awaitPhase("1-1.1", "write")
		b.insert("1-1.2", second)
		s := b.await("1-1.2", "its turn", waits)
		if s.Message != "Waiting for its turn: 1 unit on this hub is being written." || s.Advice == "" || s.State != station.Working || s.Unit != unitOf(2) {
			t.Errorf("the board shows %+v", s)
		}
		if !bytes.Equal(second.Flash().Bytes(), espsim.NewFlash(8<<20).Bytes()) {
			t.Error("a unit was written before its turn")
		}
		b.insert("1-1.3", third)
		b.await("1-1.3", "its turn", waits)
		b.remove("1-1.2")
		a, err := b.store.Attempt(s.Attempt)
		if err != nil {
			t.Fatal(err)
		}
		b.expect(a, jobs.Error, "write", "detached")

		b.expect(b.result("1-1.1"), jobs.Pass, "", "")
		s = b.await("1-1.3", "its turn to come", func(s station.SlotView) bool { return !waits(s) })
		if s.Phase != "write" || s.Advice != "" {
			t.Errorf("the board still shows %+v", s)
		}
		b.expect(b.result("1-1.3"), jobs.Pass, "", "")
		// The one that was taken out stands in line again.
		b.insert("1-1.2", second)
		b.expect(b.result("1-1.2"), jobs.Pass, "", "")
	})
}

// Units that do not end well give their turn back, too.
func TestTurnIsGivenBack(t *testing.T) {
	onBench(t, withHubs(1, 2), func(b *bench) {
		for n := range 3 {
			b.insert("1-1.1", newUnit(n))
			b.awaitPhase("1-1.1", "write")
			b.remove("1-1.1")
		}
		b.insert("1-1.2", newUnit(9))
		b.expect(b.result("1-1.2"), jobs.Pass, "", "")
	})
}

// Promise 10: who waits for a turn does not hold up the stop.
func TestStopWhileWaiting(t *testing.T) {
	onBench(t, func(cfg *station.Config) {
		withHubs(1, 2)(cfg)
		cfg.Grace = time.Second
	}, func(b *bench) {
		b.insert("1-1.1", newUnit(1))
		b.awaitPhase("1-1.1", "write")
		b.insert("1-1.2", newUnit(2))
		b.await("1-1.2", "its turn", waits)
		b.stop()
		b.expect(b.result("1-1.1"), jobs.Aborted, "write", "stopped")
		b.expect(b.result("1-1.2"), jobs.Aborted, "write", "stopped")
	})
}
