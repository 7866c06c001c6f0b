package hotplug_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"hoptech.co.nz/flashd/internal/hotplug"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a fake USB tree whose listings take as long as libusb's.
type bench struct {
	t        *testing.T
	mu       sync.Mutex // of the next four
	plugged  map[string]hotplug.Device
	denied   map[string]error // by tty
	listErr  error
	listings int
	address  int
	wake     chan struct{}
	events   <-chan hotplug.Event
	got      []string // events received, as "attach 1-1#5"
	troubles []string // that were told; "<nil>" where they were over
	log      bytes.Buffer
	cancel   context.CancelFunc
}

const listingTakes = 100 * time.Millisecond

func (b *bench) List(context.Context) ([]hotplug.Device, error) {
	time.Sleep(listingTakes)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listings++
	return slices.Collect(maps.Values(b.plugged)), b.listErr
}

// watch starts Watch on an empty tree, with a receiver that is always ready.
func watch(t *testing.T) *bench {
	b := &bench{t: t, plugged: map[string]hotplug.Device{}, denied: map[string]error{}, wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	b.events = hotplug.Watch(ctx, b, b.wake, hotplug.Options{
		Usable: func(tty string) error { b.mu.Lock(); defer b.mu.Unlock(); return b.denied[tty] },
		Trouble: func(err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.troubles = append(b.troubles, fmt.Sprint(err))
		},
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range b.events {
			b.got = append(b.got, fmt.Sprintf("%v %s#%d", e.Kind, e.Device.Path, e.Device.Address))
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	b.pass(time.Second)
	return b
}

// pass lets d go by.
func (b *bench) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// plug puts a board in, without a uevent.
func (b *bench) plug(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.address++
	b.plugged[path] = hotplug.Device{Path: path, VID: 0x303A, PID: 0x1001, TTY: fmt.Sprintf("/dev/ttyACM%d", b.address), Bus: 1, Address: b.address}
}

func (b *bench) unplug(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.plugged, path)
}

// setTTY says which tty the board at path has.
func (b *bench) setTTY(path, tty string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.plugged[path]
	d.TTY = tty
	b.plugged[path] = d
}

// setDenied says why tty cannot be opened; nil lets it be.
func (b *bench) setDenied(tty string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.denied[tty] = err
}

// setFailing says with what listings fail; nil lets them work.
func (b *bench) setFailing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listErr = err
}

// listed returns how many listings have ended.
func (b *bench) listed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listings
}

func (b *bench) uevent() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// want checks the events since the last want.
func (b *bench) want(events ...string) {
	b.t.Helper()
	if diff := cmp.Diff(events, b.got); diff != "" {
		b.t.Error(diff)
	}
	b.got = nil
}

func TestAttachAndDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.uevent()
		b.pass(300 * time.Millisecond)
		b.want("attach 1-1#1")
		b.unplug("1-1")
		b.uevent()
		b.pass(300 * time.Millisecond)
		b.want("detach 1-1#1")
	})
}

func TestBoardsThatWereThereBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.cancel()
		b.pass(time.Second)
		b.plug("1-1.10")
		b.plug("1-1.2")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := hotplug.Watch(ctx, b, nil, hotplug.Options{Usable: func(string) error { return nil }})
		for _, want := range []string{"1-1.2", "1-1.10"} {
			if e := <-events; e.Kind != hotplug.Attach || e.Device.Path != want {
				t.Errorf("got %v, want %s", e, want)
			}
		}
	})
}

// A rack is switched on: 32 boards within a second, each with its uevents.
func TestThirtyTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		before := b.listed()
		var want []string
		for i := range 32 {
			path := fmt.Sprintf("1-%d.%d", i/8+1, i%8+1)
			b.plug(path)
			want = append(want, fmt.Sprintf("attach %s#%d", path, i+1))
			for range 5 {
				b.uevent()
				b.pass(6 * time.Millisecond)
			}
		}
		b.pass(500 * time.Millisecond)
		b.want(want...)
		if n := b.listed() - before; n > 6 {
			t.Errorf("%d listings for one second of uevents", n)
		}
	})
}

// A uevent storm must not keep a board waiting for quiet.
func TestStormDoesNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		for range 60 {
			b.uevent()
			b.pass(10 * time.Millisecond)
		}
		b.want("attach 1-1#1")
	})
}

// Contacts bounce while a board is pushed in.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		for range 5 {
			b.plug("1-1")
			b.uevent()
			b.pass(20 * time.Millisecond)
			b.unplug("1-1")
			b.uevent()
			b.pass(20 * time.Millisecond)
		}
		b.plug("1-1")
		b.uevent()
		b.pass(500 * time.Millisecond)
		b.want("attach 1-1#6")
	})
}

func TestSwapBetweenListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.plug("1-2")
		b.uevent()
		b.pass(time.Second)
		b.want("attach 1-1#1", "attach 1-2#2")
		b.plug("1-1") // the old one is gone, in the same instant
		b.uevent()
		b.pass(time.Second)
		b.want("detach 1-1#1", "attach 1-1#3")
	})
}

// Two boards change places: both leave before either arrives.
func TestBoardsChangePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.plug("1-2")
		b.uevent()
		b.pass(time.Second)
		b.got = nil
		b.plug("1-2")
		b.plug("1-1")
		b.uevent()
		b.pass(time.Second)
		b.want("detach 1-1#1", "detach 1-2#2", "attach 1-1#4", "attach 1-2#3")
	})
}

// The driver binds again, as after a USB reset while the tty was open.
func TestTTYChangesItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.uevent()
		b.pass(time.Second)
		b.setTTY("1-1", "/dev/ttyACM9")
		b.uevent()
		b.pass(time.Second)
		b.want("attach 1-1#1", "detach 1-1#1", "attach 1-1#1")
	})
}

func TestMissedUevent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.pass(6 * time.Second)
		b.want("attach 1-1#1")
		b.unplug("1-1")
		b.pass(6 * time.Second)
		b.want("detach 1-1#1")
	})
}

// Nothing is polled fast while nothing happens.
func TestIdleIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.uevent()
		b.pass(time.Second)
		before := b.listed()
		b.pass(time.Minute)
		if n := b.listed() - before; n > 12 {
			t.Errorf("%d listings in an idle minute", n)
		}
	})
}

// The tty comes later than the device, and its permissions later than the tty.
func TestAttachWaitsForTheTTY(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.setTTY("1-1", "")
		b.setDenied("/dev/ttyACM0", fs.ErrPermission)
		b.uevent()
		b.pass(500 * time.Millisecond)
		b.want()
		b.setTTY("1-1", "/dev/ttyACM0")
		b.uevent()
		b.pass(200 * time.Millisecond)
		b.want()
		b.setDenied("/dev/ttyACM0", nil) // udev says nothing to the kernel's group
		b.pass(600 * time.Millisecond)
		b.want("attach 1-1#1")
		if b.log.Len() > 0 {
			t.Errorf("logged %s", &b.log)
		}
	})
}

// What stays unusable is logged once, and reported for as long as it is there.
func TestUnusableBoardIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.setDenied("/dev/ttyACM1", fs.ErrPermission)
		b.uevent()
		before := b.listed()
		b.pass(time.Minute)
		if n := strings.Count(b.log.String(), "cannot be used"); n != 1 {
			t.Errorf("told %d times: %s", n, &b.log)
		}
		if n := b.listed() - before; n > 20 {
			t.Errorf("%d listings in a minute", n)
		}
		b.got = slices.Compact(b.got) // by each listing
		b.want("unusable 1-1#1")
		b.unplug("1-1")
		b.uevent()
		b.pass(time.Second)
		b.want("detach 1-1#1")
		b.plug("1-1")
		b.setTTY("1-1", "")
		b.pass(10 * time.Second)
		b.got = slices.Compact(b.got)
		b.setTTY("1-1", "/dev/ttyACM0")
		b.pass(10 * time.Second)
		b.want("unusable 1-1#2", "detach 1-1#2", "attach 1-1#2")
	})
}

// What takes the place of something that cannot be used gets a time of its own.
func TestUnusableBoardGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		swap := func() {
			b.plug("1-1")
			b.setTTY("1-1", "")
			b.uevent()
			b.pass(1500 * time.Millisecond)
		}
		swap()
		swap()
		b.want()
		b.pass(10 * time.Second)
		b.got = slices.Compact(b.got)
		swap()
		b.want("unusable 1-1#2", "detach 1-1#2")
		b.pass(10 * time.Second)
		b.got = slices.Compact(b.got)
		b.want("unusable 1-1#3")
	})
}

// Whoever shows the station is told that no board at all can be used, once, and when
// that is over. What one of several lacks is another matter.
func TestTroubleWithAllBoards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		after := func(d time.Duration, want ...string) {
			t.Helper()
			b.pass(d)
			b.mu.Lock()
			defer b.mu.Unlock()
			if diff := cmp.Diff(want, b.troubles); diff != "" {
				t.Error(diff)
			}
			b.troubles = nil
		}
		told := func(want ...string) { t.Helper(); after(10*time.Second, want...) }
		b.setFailing(hotplug.ErrNoUSB)
		told("this machine has no USB")
		b.setFailing(nil)
		told("<nil>")
		b.setDenied("/dev/ttyACM1", fs.ErrPermission)
		b.plug("1-1")
		b.uevent()
		after(time.Second) // udev may not have done its part
		told("no board can be opened (/dev/ttyACM1: permission denied)")
		b.plug("1-2")
		told("<nil>")
		b.unplug("1-2")
		told("no board can be opened (/dev/ttyACM1: permission denied)")
		b.unplug("1-1")
		told("<nil>")
		b.plug("1-1")
		b.setTTY("1-1", "")
		told()
	})
}

func TestPortThatLosesItsTTYIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.uevent()
		b.pass(time.Second)
		b.got = nil
		b.setTTY("1-1", "")
		b.uevent()
		b.pass(time.Second)
		b.want("detach 1-1#1")
	})
}

func TestFailedListingsDetachNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.plug("1-1")
		b.uevent()
		b.pass(time.Second)
		b.setFailing(errors.New("libusb: out of sorts"))
		for range 3 {
			b.uevent()
			b.pass(time.Second)
		}
		b.want("attach 1-1#1")
		if n := strings.Count(b.log.String(), "out of sorts"); n != 1 {
			t.Errorf("told %d times: %s", n, &b.log)
		}
		b.setFailing(nil)
		b.unplug("1-1")
		b.pass(6 * time.Second)
		b.want("detach 1-1#1")
	})
}

func TestWakesMayEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		close(b.wake)
		before := b.listed()
		b.plug("1-1")
		b.pass(time.Minute)
		b.want("attach 1-1#1")
		if n := b.listed() - before; n > 15 {
			t.Errorf("%d listings in a minute", n)
		}
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watch(t)
		b.cancel()
		b.pass(time.Second)
		if _, open := <-b.events; open {
			t.Error("an event after the end")
		}
	})
}

// A receiver that takes its time misses nothing that still holds.
func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, plugged: map[string]hotplug.Device{}, wake: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.plug("1-1")
		b.plug("1-2")
		events := hotplug.Watch(ctx, b, b.wake, hotplug.Options{Usable: func(string) error { return nil }})
		b.pass(time.Hour)
		first := <-events
		b.pass(time.Hour)
		b.unplug("1-1")
		b.uevent()
		second, third := <-events, <-events
		if first.Device.Path != "1-1" || second.Device.Path != "1-2" || third != (hotplug.Event{Kind: hotplug.Detach, Device: first.Device}) {
			t.Errorf("got %v, %v, %v", first, second, third)
		}
	})
}
