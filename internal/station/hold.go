package station

import (
	"errors"
	"sync"
)

// A hindrance is something that keeps the whole line waiting.
type hindrance int

// The hindrances. People are told the first of those there are.
const (
	stopped    hindrance = iota // something is wrong that the next unit would meet, too: for good
	unrecorded                  // the record cannot be written
	unwatched                   // units that come are not noticed, or none can be opened; up to here none is begun
	unescrowed                  // the keys of units cannot be kept
	unrescued                   // what units held before their rework cannot be kept
	unanswered                  // the source of credentials does not answer
	hindrances                  // how many there are
)

// hold is why the line waits.
type hold struct {
	mu      sync.Mutex
	why     [hindrances]error
	stopped chan struct{} // closed when the line has stopped for good
}

// reason returns why h hinders the line, or nil.
func (l *hold) reason(h hindrance) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why[h]
}

// first returns the weightiest of the reasons before a hindrance. Callers hold mu.
func (l *hold) first(before hindrance) error {
	for _, why := range l.why[:before] {
		if why != nil {
			return why
		}
	}
	return nil
}

// hinder tells people what keeps the line waiting, and with nil that this does no
// longer.
func (s *Station) hinder(h hindrance, why error) {
	s.hold.mu.Lock()
	defer s.hold.mu.Unlock()
	if h == stopped {
		if s.hold.why[h] != nil {
			return // the first reason counts
		}
		close(s.hold.stopped)
	}
	s.hold.why[h] = why
	s.metrics.setStopped(s.hold.first(unescrowed) != nil)
	text := ""
	if first := s.hold.first(hindrances); first != nil {
		text = first.Error()
	}
	s.board.hold(text)
}

// stop has no unit begun any more.
func (s *Station) stop(why error) {
	s.hinder(stopped, why)
	s.Log.Error("the line has stopped", "why", why)
}

// Ready returns nil while the station takes units and notices them, else why it does
// not. A source of credentials that does not answer is waited for.
func (s *Station) Ready() error {
	s.hold.mu.Lock()
	defer s.hold.mu.Unlock()
	return s.hold.first(unanswered)
}

// AwaitCredentials counts that the source of credentials has to be asked again,
// and tells people why. The line goes on by itself when it answers.
func (s *Station) AwaitCredentials(why string) {
	s.metrics.credentialRetry(s.Source.Name())
	s.hinder(unanswered, errors.New(why))
}

// Unwatched tells people why units that are put in are not noticed, and with nil that
// they are again.
func (s *Station) Unwatched(why error) {
	if why != nil {
		why = errors.New("No unit can be worked on. " + sentence(why.Error()) + " flashd doctor tells what is missing.")
	}
	s.hinder(unwatched, why)
}
