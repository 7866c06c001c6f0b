//go:build usbvm

package usbvm_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/serialport"
)

var cycles = flag.Int("cycles", 96, "how often boards are plugged in and pulled out to look for leaks")

// noticed is how soon a Read has to end when the cable is pulled. It takes 10
// to 60 ms; a machine without a processor of its own gets more.
const noticed = 2 * time.Second

// Nothing is left behind by boards that come, are opened, and go.
func TestPlugCyclesLeakNothing(t *testing.T) {
	const lanes = 8
	events := watch(t)
	at := map[string]chan hotplug.Event{}
	for lane := range lanes {
		at[path(t, portOf(lane))] = make(chan hotplug.Event, 4)
	}
	go func() {
		for e := range events {
			at[e.Device.Path] <- e
		}
	}()
	boards := make([]*usbip.Board, lanes)
	for lane := range boards {
		adapter := []usbip.Adapter{usbip.USBSerialJTAG, usbip.CP2102}[lane%2]
		boards[lane] = newBoard(t, usbip.New(espsim.Config{Model: espsim.ESP32S3, MAC: macOf(lane)}, adapter))
	}
	run := func(each int) {
		var all sync.WaitGroup
		for lane, board := range boards {
			all.Go(func() {
				for range each {
					if t.Failed() {
						return
					}
					cycle(t, board, portOf(lane), at[path(t, portOf(lane))])
				}
			})
		}
		all.Wait()
	}
	run(1) // what is made once
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	start := time.Now()
	run(*cycles / lanes)
	t.Logf("%d cycles in %v", *cycles/lanes*lanes, time.Since(start).Round(time.Millisecond))
	if now := settledGoroutines(goroutines); now > goroutines {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines became %d:\n%s", goroutines, now, stacks[:runtime.Stack(stacks, true)])
	}
	if now := descriptors(t); now > files {
		t.Errorf("%d open files became %d", files, now)
	}
}

// cycle plugs a board in, opens its tty, and pulls the cable while somebody
// reads.
func cycle(t *testing.T, board *usbip.Board, port int, events <-chan hotplug.Event) {
	t.Helper()
	if err := board.Plug(port); err != nil {
		t.Error(err)
		return
	}
	defer board.Unplug() // when something below goes wrong
	attached, ok := await(t, "attach", events)
	if !ok {
		return
	}
	tty, err := serialport.Open(context.Background(), attached.Device.TTY)
	if err != nil {
		t.Error(err)
		return
	}
	ended := make(chan error, 1)
	go func() {
		b := make([]byte, 256)
		for {
			if _, err := tty.Read(b); err != nil {
				ended <- err
				return
			}
		}
	}()
	board.Unplug()
	pulled := time.Now()
	if err, ok := await(t, "end of Read", ended); ok && !errors.Is(err, flasher.Detached) {
		t.Errorf("Read: %v, want Detached", err)
	}
	if took := time.Since(pulled); took > noticed {
		t.Errorf("Read noticed after %v", took)
	}
	// The kernel may hold a port for some seconds more, which Close tells and
	// does not wait for; what is left then is seen at the end of the test.
	if err := tty.Close(); err != nil {
		t.Log(err)
	}
	if e, ok := await(t, "detach", events); ok && e.Kind != hotplug.Detach {
		t.Errorf("after the unplug: %+v", e)
	}
}

// await receives what has to come.
func await[T any](t *testing.T, what string, from <-chan T) (v T, ok bool) {
	t.Helper()
	select {
	case v = <-from:
		return v, true
	case <-time.After(20 * time.Second):
		t.Errorf("no %s within 20 s", what)
		return v, false
	}
}

// settledGoroutines gives what is about to end some time to do so.
func settledGoroutines(want int) int {
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > want && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
