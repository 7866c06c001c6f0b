package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"hoptech.co.nz/flashd/internal/station"
)

// reload has a daemon take up its changed configuration on SIGHUP: the units
// under way finish, then the line begins anew. A configuration with a mistake
// changes nothing. It is not for who has a terminal: there SIGHUP means that it
// was closed.
type reload struct {
	read  func() (settings, error)
	asked chan os.Signal
	next  *settings // what the next line works with; nil: none is wanted
	last  *settings // what the latest line began with; nil: none has begun
}

func newReload(read func() (settings, error)) *reload {
	r := &reload{read: read, asked: make(chan os.Signal, 1)}
	if !hasTerminal() {
		signal.Notify(r.asked, syscall.SIGHUP)
	}
	return r
}

func (r *reload) end() { signal.Stop(r.asked) }

// take returns the settings of the next line, nil if none is wanted.
func (r *reload) take() *settings {
	next := r.next
	r.next = nil
	return next
}

// notUsed is what the log says of a changed configuration with a mistake in it.
const notUsed = "the changed configuration is not used: the line goes on as before"

// begin begins a line. If that fails with a changed configuration, for what
// could not be tried while the line before it ran, such as an address that
// another program has, it is begun with the one before.
func (r *reload) begin(cfg settings, log *slog.Logger) (*line, error) {
	l, err := newLine(cfg, log)
	if err != nil && r.last != nil {
		log.Error(notUsed, "err", err)
		return newLine(*r.last, log)
	}
	r.last = &cfg
	return l, err
}

// await ends the work of a line when it is asked for another configuration and
// that is right. It returns then, or when ctx ends.
func (r *reload) await(ctx context.Context, l *line, endUnits context.CancelCauseFunc) {
	for {
		select {
		case <-r.asked:
		case <-ctx.Done():
			return
		}
		next, err := r.read()
		if err == nil {
			_, err = next.parts(func(error) {}, l.log)
		}
		if err != nil {
			l.log.Error(notUsed, "err", err)
			continue
		}
		l.log.Info("taking up the changed configuration", "working", l.station.View().Working())
		r.next = &next
		endUnits(station.ErrDrain)
		return
	}
}
