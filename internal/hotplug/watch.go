package hotplug

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Options of Watch. Zero values mean the defaults.
type Options struct {
	// Quiet is how long no wake may come before a listing: a board that
	// bounces in its socket is listed once it rests. Default 50 ms.
	Quiet time.Duration
	// Patience bounds the waiting for Quiet while wakes keep coming, as they
	// do when a whole rack is switched on. Default 300 ms.
	Patience time.Duration
	// Interval is the time between listings when nothing wakes. Default 5 s.
	Interval time.Duration
	// Usable returns why a tty cannot be opened yet, or nil. By default it
	// asks the kernel whether this process may read and write the node, and
	// does not open it: an open moves DTR and RTS, and so may reset the chip.
	Usable func(tty string) error
	// Refuse returns why what is listed is no board, or nil if it is one. By
	// default everything is.
	Refuse func(Device) error
	// Trouble is told why no board at all can be used, and nil when one may be
	// again: listings fail, or this process may open none of those that are
	// there. Default: nobody is.
	Trouble func(error)
	// Log is told about listings that fail and boards that stay unusable.
	// Default slog.Default().
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Quiet = cmp.Or(o.Quiet, 50*time.Millisecond)
	o.Patience = cmp.Or(o.Patience, 300*time.Millisecond)
	o.Interval = cmp.Or(o.Interval, 5*time.Second)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Usable == nil {
		o.Usable = mayOpen
	}
	if o.Refuse == nil {
		o.Refuse = func(Device) error { return nil }
	}
	if o.Trouble == nil {
		o.Trouble = func(error) {}
	}
	return o
}

// Watch lists at once, after every wake and from time to time, and reports
// boards that came and went since the listing before. A board that gives way
// to another one at the same path, or that enumerates again, is a Detach
// followed by an Attach. Nobody is reported gone because a listing failed.
// What has been there for 2 s and still cannot be used is reported by each
// listing, until it can or is gone.
//
// The channel is closed when ctx is done. Events wait for their receiver, and
// no listing is made meanwhile.
func Watch(ctx context.Context, l Lister, wake <-chan struct{}, o Options) <-chan Event {
	w := &watcher{
		lister: l, wake: wake, opts: o.withDefaults(),
		events: make(chan Event), present: map[string]Device{}, pending: map[string]*wait{},
	}
	go func() {
		defer close(w.events)
		w.run(ctx)
	}()
	return w.events
}

type watcher struct {
	lister  Lister
	wake    <-chan struct{}
	opts    Options
	events  chan Event
	present map[string]Device // reported as attached, by path
	pending map[string]*wait  // there, but not usable yet, by path
	failing bool              // the last listing failed
	trouble bool              // was told last
	retry   time.Duration     // pause before the next listing while something is pending
}

// firstRetry is the first pause while something is pending; each is twice as long as
// that before.
const firstRetry = 50 * time.Millisecond

func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.look(ctx)
		w.rest(ctx)
	}
}

// rest waits for the time of the next listing.
func (w *watcher) rest(ctx context.Context) {
	pause := w.opts.Interval
	if len(w.pending) > 0 || w.failing {
		w.retry = min(max(2*w.retry, firstRetry), w.opts.Interval)
		pause = w.retry
	} else {
		w.retry = 0
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	case _, open := <-w.wake:
		if !open {
			w.wake = nil // from now on listings by the clock only
			return
		}
		w.retry = 0
		w.settle(ctx)
	}
}

// settle waits until no wake comes for a while, but not for ever.
func (w *watcher) settle(ctx context.Context) {
	patience := time.After(w.opts.Patience)
	for {
		select {
		case <-ctx.Done():
			return
		case <-patience:
			return
		case <-time.After(w.opts.Quiet):
			return
		case _, open := <-w.wake:
			if !open {
				w.wake = nil
				return
			}
		}
	}
}

// look lists and reports the difference.
func (w *watcher) look(ctx context.Context) {
	devices, err := w.lister.List(ctx)
	if err != nil {
		if !w.failing && ctx.Err() == nil {
			w.opts.Log.Warn("cannot list USB devices; trying on", "err", err)
		}
		w.failing = true
		if ctx.Err() == nil {
			w.tell(err)
		}
		return
	}
	w.failing = false
	before := w.pending
	usable := w.sift(devices)
	w.tell(w.forbidden(usable))
	for _, path := range sortedPaths(w.present) {
		if old := w.present[path]; usable[path] != old {
			delete(w.present, path)
			w.send(ctx, Event{Kind: Detach, Device: old})
		}
	}
	for _, path := range sortedPaths(before) {
		if old := before[path]; old.told && w.pending[path] != old {
			w.send(ctx, Event{Kind: Detach, Device: old.device})
		}
	}
	for _, path := range sortedPaths(usable) {
		if _, known := w.present[path]; !known {
			w.present[path] = usable[path]
			w.send(ctx, Event{Kind: Attach, Device: usable[path]})
		}
	}
	for _, path := range sortedPaths(w.pending) {
		if p := w.pending[path]; p.told {
			w.send(ctx, Event{Kind: Unusable, Device: p.device, Why: p.why})
		}
	}
}

// tell passes trouble on when it begins and when it is over.
func (w *watcher) tell(err error) {
	if was := w.trouble; was != (err != nil) {
		w.trouble = !was
		w.opts.Trouble(err)
	}
}

func (w *watcher) send(ctx context.Context, e Event) {
	select {
	case w.events <- e:
	case <-ctx.Done():
	}
}

func sortedPaths[V any](byPath map[string]V) []string {
	return slices.SortedFunc(maps.Keys(byPath), ComparePaths)
}
