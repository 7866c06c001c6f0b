package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/web"
)

// classroom is an operator who shows slots to a learner, in fake time.
type classroom struct {
	*testing.T
	said   bytes.Buffer
	events chan hotplug.Event
	typed  chan string
	leave  context.CancelFunc
	slots  chan config.Slots
	err    error
}

// learn runs test with a learner for named slots, or for so many.
func learn(t *testing.T, names []string, count int, plugged []hotplug.Device, test func(*classroom)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &classroom{T: t, events: make(chan hotplug.Event), typed: make(chan string), slots: make(chan config.Slots, 1)}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		c.leave = leave
		l := newLearner(&c.said, hotplug.Known, names, count, plugged)
		go func() {
			var slots config.Slots
			slots, c.err = l.run(ctx, c.events, c.typed)
			c.slots <- slots
		}()
		test(c)
	})
}

func board(path string) hotplug.Device {
	return hotplug.Device{Path: path, VID: 0x303A, PID: 0x1001, TTY: "/dev/ttyACM0"}
}

func (c *classroom) plug(path string) {
	c.events <- hotplug.Event{Kind: hotplug.Attach, Device: board(path)}
}

func (c *classroom) unplug(path string) {
	c.events <- hotplug.Event{Kind: hotplug.Detach, Device: board(path)}
}

// show puts a board into a place and takes it out, at a hand's pace.
func (c *classroom) show(path string) {
	c.plug(path)
	time.Sleep(time.Second)
	c.unplug(path)
	time.Sleep(3 * time.Second)
}

func (c *classroom) say(line string) {
	c.typed <- line
	synctest.Wait()
}

// hears wants the learner to have said something since it was last asked.
func (c *classroom) hears(want string) {
	c.Helper()
	synctest.Wait()
	if got := c.said.String(); !strings.Contains(got, want) {
		c.Errorf("it said:\n%swant: %s", got, want)
	}
	c.said.Reset()
}

// knows wants the learner to have ended with slots, written "1-1.1 left".
func (c *classroom) knows(want ...string) {
	c.Helper()
	synctest.Wait()
	select {
	case slots := <-c.slots:
		var got []string
		for _, s := range slots {
			got = append(got, s.Path+" "+s.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" || c.err != nil {
			c.Errorf("%s%v", diff, c.err)
		}
	default:
		c.Errorf("it has not ended:\n%s", &c.said)
	}
}

func TestLearnUntilEnter(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		c.hears("Put a board into slot 1.")
		c.show("1-1.4")
		c.hears("Slot 1 is 1-1.4 (303A:1001).\nPut a board into slot 2.")
		c.plug("1-1.3") // it stays
		time.Sleep(time.Second)
		c.show("1-2")
		c.say("")
		c.knows("1-1.4 1", "1-1.3 2", "1-2 3")
	})
}

func TestLearnEndsWithTheLastName(t *testing.T) {
	learn(t, []string{"left", "right"}, 0, nil, func(c *classroom) {
		close(c.typed) // nobody types anything
		c.hears("Put a board into slot left.")
		c.show("1-1.1")
		c.hears("Put a board into slot right.")
		c.plug("1-1.2")
		time.Sleep(time.Second)
		c.knows("1-1.1 left", "1-1.2 right")
	})
}

func TestLearnEndsWithTheLastOfACount(t *testing.T) {
	learn(t, nil, 2, nil, func(c *classroom) {
		c.show("1-1.1")
		c.said.Reset()
		c.say("")
		c.hears("1 of 2 slots are still to come.")
		c.plug("1-1.2")
		time.Sleep(time.Second)
		c.knows("1-1.1 1", "1-1.2 2")
	})
}

// A chip without an application starts over for ever, and leaves the USB each
// time.
func TestLearnCountsABoardThatStartsOverOnce(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		for range 20 {
			c.plug("1-1.1")
			time.Sleep(300 * time.Millisecond)
			c.unplug("1-1.1")
			time.Sleep(500 * time.Millisecond)
		}
		c.hears("Put a board into slot 2.")
		c.plug("1-1.1")
		c.plug("1-1.2")
		time.Sleep(time.Second)
		c.say("")
		c.knows("1-1.1 1", "1-1.2 2")
	})
}

func TestLearnExplainsTheSamePlace(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		c.show("1-1.1")
		c.said.Reset()
		c.show("1-1.1")
		c.hears("1-1.1 is slot 1 already.\nPut a board into slot 2.")
		c.say("")
		c.knows("1-1.1 1")
	})
}

func TestLearnExplainsTwoAtOnce(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		c.plug("1-1.1")
		c.plug("1-1.2")
		time.Sleep(time.Second)
		c.hears("Boards came into 1-1.1 and 1-1.2 at once, so which is slot 1 cannot be told.")
		// One of them starts over, which still tells nothing.
		c.unplug("1-1.2")
		time.Sleep(500 * time.Millisecond)
		c.plug("1-1.2")
		time.Sleep(time.Second)
		c.hears("1-1.2 was away for a moment only")
		c.unplug("1-1.1")
		c.unplug("1-1.2")
		time.Sleep(3 * time.Second)
		c.show("1-1.2")
		c.show("1-1.1")
		c.say("")
		c.knows("1-1.2 1", "1-1.1 2")
	})
}

func TestLearnSkipsAndTakesBack(t *testing.T) {
	learn(t, []string{"a", "b", "c"}, 0, nil, func(c *classroom) {
		c.say("u")
		c.hears("There is nothing to take back.")
		c.show("1-1.1")
		c.say(" s ")
		c.hears("Slot b is skipped.\nPut a board into slot c.")
		c.say("u")
		c.say("u")
		c.hears("Slot a is taken back.\nPut a board into slot a.")
		c.say("x")
		c.hears(`"x" is not known`)
		c.show("1-1.3")
		c.say("s")
		c.plug("1-1.1") // free again
		time.Sleep(time.Second)
		c.knows("1-1.3 a", "1-1.1 c")
	})
}

// What was typed right after a board was put in is about the slot after it.
func TestLearnTakesTheBoardBeforeTheWord(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		c.plug("1-1.1")
		c.say("s")
		c.plug("1-1.2")
		c.say("")
		c.knows("1-1.1 1", "1-1.2 3")
	})
}

func TestLearnLeavesOutWhatWasThere(t *testing.T) {
	learn(t, nil, 0, []hotplug.Device{board("1-1.10"), board("1-1.2")}, func(c *classroom) {
		c.hears("What is plugged in already does not count: 1-1.2, 1-1.10.")
		c.plug("1-1.2") // the first listing
		c.plug("1-1.10")
		time.Sleep(3 * time.Second)
		c.unplug("1-1.10")
		time.Sleep(3 * time.Second)
		c.show("1-1.10")
		c.hears("Slot 1 is 1-1.10")
		c.say("")
		c.knows("1-1.10 1")
	})
}

func TestLearnExplainsWhatIsNoBoard(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		c.events <- hotplug.Event{Kind: hotplug.Attach, Device: hotplug.Device{Path: "1-4", VID: 0x067B, PID: 0x2303, TTY: "/dev/ttyUSB0"}}
		c.hears("In 1-4 is a 067B:2303, which is not known as a board. If it is one, add 067b:2303 to usb.accept in flashd.yaml.")
		c.say("")
		c.knows()
	})
}

func TestLearnInterrupted(t *testing.T) {
	learn(t, nil, 0, nil, func(c *classroom) {
		c.show("1-1.1")
		c.leave()
		if slots := <-c.slots; slots != nil || !errors.Is(c.err, context.Canceled) {
			t.Errorf("got %v, %v", slots, c.err)
		}
	})
}

// What was found out is printed where it cannot be written.
func TestKeepSlots(t *testing.T) {
	slots := config.Slots{{Path: "1-1.1", Name: "left"}}
	path := filepath.Join(t.TempDir(), "flashd.yaml")
	for _, tc := range []struct {
		target, out, said string
		fails             bool
	}{
		{target: "-", out: "slots:\n  1-1.1: left\n"},
		{target: path, said: path + " has its slots now: 1. flashd reads it when it starts.\n"},
		{target: filepath.Join(path, "none"), out: "slots:\n  1-1.1: left\n", fails: true},
	} {
		var out, said strings.Builder
		err := keepSlots(&out, &said, tc.target, slots)
		if out.String() != tc.out || said.String() != tc.said || (err != nil) != tc.fails {
			t.Errorf("%s: printed %q, said %q, %v", tc.target, &out, &said, err)
		}
	}
	if keepSlots(&strings.Builder{}, &strings.Builder{}, path, nil) == nil {
		t.Error("no slots were written")
	}
	if c, err := config.Load(path); err != nil || fmt.Sprint(c.Slots) != fmt.Sprint(slots) {
		t.Errorf("the file has %v, %v", c, err)
	}
}

// A station that runs would write the boards that are put in to be learned.
func TestLearnKeepsOffARunningStation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer string // of the station; "": none runs
		want   string
	}{
		{name: "none"},
		{name: "simulated", answer: `{"simulated": true}`},
		{name: "real", answer: `{"simulated": false}`, want: "flashd is running, and would write the boards that are put in"},
		{name: "odd", answer: "?", want: "flashd is running"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.answer != "" {
				l, err := web.ListenUnix(dir)
				if err != nil {
					t.Fatal(err)
				}
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tc.answer) })}
				done := make(chan error)
				go func() { done <- server.Serve(l) }()
				t.Cleanup(func() { _ = server.Close(); <-done })
			}
			err := noDaemonOn(t.Context(), dir)
			if got := fmt.Sprint(err); err != nil && tc.want == "" || !strings.Contains(got, tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestCandidatesMayBeBoards(t *testing.T) {
	hub := hotplug.Device{Path: "1-1", VID: 0x0424, PID: 0x2514}
	bare := hotplug.Device{Path: "1-2", VID: 0x303A, PID: 0x1001}
	other := hotplug.Device{Path: "1-3", VID: 0x067B, PID: 0x2303, TTY: "/dev/ttyUSB0"}
	got, err := candidates{fixture{devices: []hotplug.Device{hub, bare, other}}, hotplug.Known}.List(t.Context())
	if diff := cmp.Diff([]hotplug.Device{bare, other}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestSlotsAreListed(t *testing.T) {
	devices := []hotplug.Device{{Path: "1-1.2", VID: 0x303A, PID: 0x1001, Serial: "A1:B2", TTY: "/dev/none"}, {Path: "1-7", VID: 0x303A, PID: 0x1001}}
	cfg := config.Default()
	cfg.Slots = config.Slots{{Path: "1-1.10", Name: "left"}, {Path: "1-1.2", Name: "right"}}
	var table, list strings.Builder
	if err := errors.Join(
		showSlots(t.Context(), &table, fixture{devices: devices}, cfg, "table"),
		showSlots(t.Context(), &list, fixture{err: hotplug.ErrNoUSB}, cfg, "json"),
	); err != nil {
		t.Fatal(err)
	}
	const want = `SLOT   PATH    ID         SERIAL  PRODUCT  TTY        HOLDER  NOTE
left   1-1.10  -          -       -        -          -       empty
right  1-1.2   303A:1001  A1:B2   -        /dev/none  -       its tty is not in /dev; in a container, pass it through
`
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Error(diff)
	}
	var got []port
	if err := json.Unmarshal([]byte(list.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]port{{Path: "1-1.10", Hub: "1-1", Slot: "left", Note: "empty"}, {Path: "1-1.2", Hub: "1-1", Slot: "right", Note: "empty"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSlotsSaysThatThereAreNone(t *testing.T) {
	var out strings.Builder
	if err := showSlots(t.Context(), &out, fixture{}, config.Default(), "table"); err != nil || !strings.Contains(out.String(), "flashd slots learn") {
		t.Errorf("%q, %v", &out, err)
	}
}
