package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"hoptech.co.nz/flashd/internal/station"
)

const (
	// maxWatchers is how many event streams there can be, and watchersEach how
	// many of them one client can have: each costs a goroutine and every view.
	// A proxy in front of the station is one client.
	maxWatchers  = 128
	watchersEach = 32
	// heartbeat is how often a stream says something even if nothing happens,
	// so that the board can tell a quiet line from a lost one.
	heartbeat = 15 * time.Second
	// eventRetry is how long a browser waits before it connects again, in milliseconds.
	eventRetry = 2000
)

// events streams views. The event "view" has one as JSON; "beat" has nothing
// to say. A beat is an event and not a comment because a page cannot see a
// comment go by.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	stream := eventStream{w: w, flush: http.NewResponseController(w).Flush}
	stream.printf("retry: %d\n\n", eventRetry)
	views := s.Source.Watch(r.Context())
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for stream.err == nil {
		select {
		case v, ok := <-views:
			if !ok {
				return
			}
			stream.view(v)
		case <-beat.C:
			stream.printf("event: beat\ndata:\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// eventStream keeps the first error: the client has gone.
type eventStream struct {
	w     http.ResponseWriter
	flush func() error
	err   error
}

func (s *eventStream) view(v station.View) {
	data, err := json.Marshal(v)
	if err != nil {
		s.err = err
		return
	}
	s.printf("event: view\ndata: %s\n\n", data)
}

func (s *eventStream) printf(format string, args ...any) {
	if s.err != nil {
		return
	}
	if _, s.err = fmt.Fprintf(s.w, format, args...); s.err == nil {
		s.err = s.flush()
	}
}
