package station

import (
	"cmp"
	"context"
	"sync"
)

// halt stops the line for good: something is wrong that the next unit would
// meet, too.
type halt struct {
	mu  sync.Mutex
	why error
	set chan struct{} // closed when why is set
}

// halt keeps the first reason.
func (h *halt) halt(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == nil {
		h.why = why
		close(h.set)
	}
}

func (h *halt) reason() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why
}

// stop halts the line and tells people why.
func (s *Station) stop(why error) {
	s.halt.halt(why)
	s.metrics.stopped.Set(1)
	s.board.hold(why.Error())
	s.Log.Error("the line has stopped", "why", why)
}

// Hold tells people that the line waits for something, and with "" that it
// goes on. A line that has stopped, or that waits for its record, goes on saying so.
func (s *Station) Hold(why string) {
	if s.Ready() == nil {
		s.board.hold(why)
	}
}

// AwaitCredentials counts that the source of credentials has to be asked again,
// and tells people why. The line goes on by itself when it answers.
func (s *Station) AwaitCredentials(why string) {
	s.metrics.credentialRetry(s.Source.Name())
	s.Hold(why)
}

// Ready returns nil while the station accepts units, else why it does not: it has
// stopped, or the record cannot be written.
func (s *Station) Ready() error { return cmp.Or(s.halt.reason(), s.recording.reason()) }

// View returns what people see now.
func (s *Station) View() View { return s.board.view() }

// Watch sends a View at once and then whenever something has changed, until
// ctx ends. A slow reader gets fewer, never older ones.
func (s *Station) Watch(ctx context.Context) <-chan View { return s.board.watch(ctx) }
