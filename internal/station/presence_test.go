package station_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// A bridge that is pulled out in the middle of a request fails first, and only
// later does the kernel know why.
func TestPortThatFailsBeforeTheUnitIsGone(t *testing.T) {
	for _, gone := range []bool{true, false} {
		t.Run(fmt.Sprintf("gone %v", gone), func(t *testing.T) {
			var fails atomic.Bool
			onBench(t, func(cfg *station.Config) {
				open := cfg.Open
				cfg.Retries = 0
				cfg.Open = func(ctx context.Context, d hotplug.Device) (flasher.Port, error) {
					port, err := open(ctx, d)
					return &failingPort{port, &fails}, err
				}
			}, func(b *bench) {
				b.insert(left, newUnit(1))
				b.awaitPhase(left, "write")
				attempt := b.slot(left).Attempt
				fails.Store(true)
				kind := "io"
				if gone {
					kind = "detached"
					time.Sleep(5 * time.Second)
					b.remove(left)
				}
				time.Sleep(10 * time.Second)
				a, err := b.store.Attempt(attempt)
				if err != nil {
					t.Fatal(err)
				}
				b.expect(a, jobs.Error, "write", kind)
			})
		})
	}
}

// failingPort takes no more bytes once it fails.
type failingPort struct {
	flasher.Port
	fails *atomic.Bool
}

func (p *failingPort) Write(b []byte) (int, error) {
	if p.fails.Load() {
		time.Sleep(time.Second)
		return 0, errors.New("no answer from the device within 1s")
	}
	return p.Port.Write(b)
}
