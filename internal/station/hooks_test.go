package station_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// ear is a hook that remembers what it was told.
type ear struct {
	takes time.Duration // for one thing; it ends sooner with its context

	mu    sync.Mutex
	heard []station.Happening
	cut   int // how often it was ended
	now   int
	most  int // how many it heard at once
}

func (e *ear) hook(ctx context.Context, h station.Happening) {
	e.mu.Lock()
	e.heard = append(e.heard, h)
	e.now++
	e.most = max(e.most, e.now)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.now--
	}()
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		e.mu.Lock()
		defer e.mu.Unlock()
		e.cut++
	}
}

// events are the words of what was heard about a path.
func (e *ear) events(path string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var words []string
	for _, h := range e.heard {
		if h.Path == path {
			words = append(words, string(h.Event))
		}
	}
	return strings.Join(words, " ")
}

func (e *ear) listens(cfg *station.Config) { cfg.Hook = e.hook }

func TestHooksAreTold(t *testing.T) {
	var e ear
	onBench(t, func(cfg *station.Config) { e.listens(cfg); cfg.Retries = 0 }, func(b *bench) {
		unit := newUnit(1)
		b.insert(left, unit)
		passed := b.result(left)
		b.remove(left)
		b.insert(right, unit)
		refused := b.result(right)
		b.remove(right)
		b.insert(left, newUnit(2, espsim.Fault{Kind: espsim.SilentApp}))
		failed := b.result(left)
		b.remove(left)
		b.insert(right, newUnit(3))
		b.awaitPhase(right, "write")
		spoilt := b.slot(right).Attempt
		b.remove(right)
		time.Sleep(time.Minute)
		synctest.Wait()

		all := station.Happening{Station: "test", Release: "demo"}
		of := func(event station.HookEvent, a jobs.Attempt) station.Happening {
			h := all
			h.Event, h.Slot, h.Path, h.Attempt, h.Unit, h.Outcome = event, a.Slot, a.Path, a.ID, a.Unit, a.Outcome
			if a.Failure != nil {
				h.Phase, h.Kind, h.Text = a.Failure.Phase, a.Failure.Kind, a.Failure.Text
			}
			if event == station.HookAttach {
				h.Unit, h.Outcome, h.Phase, h.Kind, h.Text = "", "", "", "", ""
			}
			return h
		}
		errored, err := b.store.Attempt(spoilt)
		if err != nil {
			t.Fatal(err)
		}
		var want []station.Happening
		for _, end := range []struct {
			event station.HookEvent
			of    jobs.Attempt
		}{{station.HookPass, passed}, {station.HookRefused, refused}, {station.HookFail, failed}, {station.HookError, errored}} {
			want = append(want, of(station.HookAttach, end.of), of(end.event, end.of), of(station.HookDetach, end.of))
		}
		want[10].ErrorsInARow, want[11].ErrorsInARow = 1, 1
		if diff := cmp.Diff(want, e.heard); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if want[1].Unit != unitOf(1) || want[1].Outcome != jobs.Pass || want[4].Kind != "already_done" || want[10].Kind != "detached" {
			t.Errorf("it was told too little: %+v", want)
		}
	})
}

// A hook that switches power has to know when that does not help. Each slot has
// a count of its own.
func TestHooksAreToldOfErrorsInARow(t *testing.T) {
	var e ear
	onBench(t, e.listens, func(b *bench) {
		for _, path := range []string{left, left, right} {
			b.insert(path, newUnit(1))
			b.awaitPhase(path, "write")
			b.remove(path)
		}
		b.insert(left, newUnit(1))
		b.expect(b.result(left), jobs.Pass, "", "")
		b.remove(left)
		synctest.Wait()
		var got []string
		for _, h := range e.heard {
			got = append(got, fmt.Sprintf("%s-%s-%d", h.Slot, h.Event, h.ErrorsInARow))
		}
		want := strings.Fields("left-attach-0 left-error-1 left-detach-1 left-attach-1 left-error-2 left-detach-2" +
			" right-attach-0 right-error-1 right-detach-1 left-attach-2 left-pass-0 left-detach-0")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A hook that takes long delays nobody, hears about one slot in order, and
// misses what it could have been told first.
func TestSlowHookHoldsUpNobody(t *testing.T) {
	e := ear{takes: 20 * time.Minute}
	onBench(t, e.listens, func(b *bench) {
		start := time.Now()
		for n := range 6 {
			b.insert(left, newUnit(n))
			b.expect(b.result(left), jobs.Pass, "", "")
			b.remove(left)
		}
		b.insert(right, newUnit(10))
		b.expect(b.result(right), jobs.Pass, "", "")
		if took := time.Since(start); took > 10*time.Minute {
			t.Errorf("seven units took %v", took)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		// 18 things happened on the left: one is told at once, eight wait.
		if got, want := e.events(left), "attach pass detach attach pass detach attach pass detach"; got != want {
			t.Errorf("heard of the left slot %q, want %q", got, want)
		}
		if got, want := e.events(right), "attach pass"; got != want {
			t.Errorf("heard of the right slot %q, want %q", got, want)
		}
		if !strings.Contains(b.log.String(), "the hooks of a slot are too slow") {
			t.Error("nobody was told that hooks are left out")
		}
	})
}

// However many slots there are, only some hooks run at once.
func TestHooksAreBounded(t *testing.T) {
	e := ear{takes: time.Minute}
	const slots = 12
	onBench(t, func(cfg *station.Config) {
		e.listens(cfg)
		withHubs(0, slots)(cfg)
	}, func(b *bench) {
		for n := range slots {
			b.insert(fmt.Sprintf("1-1.%d", n+1), newUnit(n))
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if e.most != 8 {
			t.Errorf("%d hooks ran at once, want 8", e.most)
		}
		if len(e.heard) != 2*slots {
			t.Errorf("%d things were heard, want %d", len(e.heard), 2*slots)
		}
	})
}

// The stop waits for hooks, but not for long.
func TestHooksWhenTheStationStops(t *testing.T) {
	for _, tc := range []struct {
		takes time.Duration
		heard string
		cut   int
	}{
		{2 * time.Second, "attach pass", 0},
		{time.Hour, "attach", 1},
	} {
		t.Run(tc.takes.String(), func(t *testing.T) {
			e := ear{takes: tc.takes}
			onBench(t, e.listens, func(b *bench) {
				b.insert(left, newUnit(1))
				b.expect(b.result(left), jobs.Pass, "", "")
				stopped := time.Now()
				b.stop()
				b.ended <- <-b.ended
				if took := time.Since(stopped); took > 5*time.Second {
					t.Errorf("the stop took %v", took)
				}
				if got := e.events(left); got != tc.heard || e.cut != tc.cut {
					t.Errorf("heard %q, %d cut off; want %q, %d", got, e.cut, tc.heard, tc.cut)
				}
			})
		})
	}
}

// An attempt that is cut off by the stop is begun again later, and no end.
func TestHooksAreNotToldOfAnAbortedAttempt(t *testing.T) {
	var e ear
	onBench(t, func(cfg *station.Config) { e.listens(cfg); cfg.Grace = time.Second }, func(b *bench) {
		b.insert(left, newUnit(1))
		b.awaitPhase(left, "write")
		b.stop()
		b.expect(b.result(left), jobs.Aborted, "write", "stopped")
		synctest.Wait()
		if got := e.events(left); got != "attach" {
			t.Errorf("heard %q", got)
		}
	})
}

func TestHooksAreToldOfALostRecord(t *testing.T) {
	var e ear
	onBench(t, e.listens, func(b *bench) {
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if b.store, err = jobs.Open(filepath.Join(t.TempDir(), "jobs.db")); err != nil { // to be checked in its place
			t.Fatal(err)
		}
		b.insert(left, newUnit(1))
		b.await(left, "an error", func(s station.SlotView) bool { return s.State == station.Errored })
		b.remove(left)
		time.Sleep(time.Minute) // it may have started over, and come back
		if got := e.events(left); got != "error detach" || e.heard[0].Kind != "store" {
			t.Errorf("heard %q: %+v", got, e.heard)
		}
	})
}

func TestHookEventsAreOutcomesAndMore(t *testing.T) {
	for _, o := range jobs.Outcomes {
		if o != jobs.Aborted && !slices.Contains(station.HookEvents, station.HookEvent(o)) {
			t.Errorf("no event for the outcome %s", o)
		}
	}
}
