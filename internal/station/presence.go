package station

import (
	"context"
	"sync"

	"hoptech.co.nz/flashd/internal/hotplug"
)

// presence knows which device is in a slot now, and lets others wait for that
// to change.
type presence struct {
	mu      sync.Mutex
	device  *hotplug.Device // nil: nothing there
	changed chan struct{}   // closed at the next change
}

func newPresence() *presence { return &presence{changed: make(chan struct{})} }

func (p *presence) set(event hotplug.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.device = nil
	if event.Kind == hotplug.Attach {
		device := event.Device
		p.device = &device
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *presence) get() (*hotplug.Device, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.device, p.changed
}

// until waits for a device, or for its absence (nil), that satisfies ok.
func (p *presence) until(ctx context.Context, ok func(*hotplug.Device) bool) (*hotplug.Device, error) {
	for {
		device, changed := p.get()
		if ok(device) {
			return device, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func present(d *hotplug.Device) bool { return d != nil }

// other reports whether a device is not that one any more: taken out, changed
// for another, or enumerated anew.
func other(than hotplug.Device) func(*hotplug.Device) bool {
	return func(d *hotplug.Device) bool { return d == nil || *d != than }
}
