package espsim

import (
	"bytes"
	"time"
)

// A segment is a run of bytes on a line. Byte i has arrived at
// start + (i+1)*perByte.
type segment struct {
	data    []byte
	start   time.Time
	perByte time.Duration
	baud    int // the sender's rate; 0 if the line has none
}

func (s *segment) arrival(i int) time.Time {
	return s.start.Add(time.Duration(i+1) * s.perByte)
}

// A line carries bytes one way, in order and in time.
type line struct {
	segments []segment
	freeAt   time.Time // when the last byte put on it will have arrived
}

// put sends data at the given moment, or behind what is still on the line.
func (l *line) put(now time.Time, data []byte, perByte time.Duration, baud int) {
	if len(data) == 0 {
		return
	}
	if l.freeAt.After(now) {
		now = l.freeAt
	}
	s := segment{data: data, start: now, perByte: perByte, baud: baud}
	l.segments = append(l.segments, s)
	l.freeAt = s.arrival(len(data) - 1)
}

// take removes n bytes of the first segment.
func (l *line) take(n int) {
	s := &l.segments[0]
	s.start = s.arrival(n - 1)
	s.data = s.data[n:]
	if len(s.data) == 0 {
		l.segments = l.segments[1:]
	}
}

// arrived returns how many bytes of the first segment have arrived by now.
func (l *line) arrived(now time.Time) int {
	if len(l.segments) == 0 {
		return 0
	}
	s := &l.segments[0]
	elapsed := now.Sub(s.start)
	switch {
	case s.perByte == 0 && elapsed >= 0:
		return len(s.data)
	case elapsed < 0:
		return 0
	default:
		return min(int(elapsed/s.perByte), len(s.data))
	}
}

// arrivalOf returns when the next byte equal to delimiter arrives behind the
// first one, or the last byte of the first segment that has none. It bounds
// how often a receiver must look.
func (l *line) arrivalOf(delimiter byte) (time.Time, bool) {
	if len(l.segments) == 0 {
		return time.Time{}, false
	}
	s := &l.segments[0]
	if i := bytes.IndexByte(s.data, delimiter); i >= 0 {
		return s.arrival(i), true
	}
	return s.arrival(len(s.data) - 1), true
}

// clear drops what is on the line.
func (l *line) clear() { *l = line{} }

// queued is the number of bytes on the line.
func (l *line) queued() int {
	n := 0
	for i := range l.segments {
		n += len(l.segments[i].data)
	}
	return n
}

// burst is where a byte stands in a run of bytes that come without a pause.
type burst struct {
	position int // of the byte that just arrived, from 0
	last     time.Time
}

// begin looks whether a run goes on from the byte before it. A pause of a byte's
// time ends a burst.
func (b *burst) begin(run *segment) {
	if run.start.After(b.last.Add(run.perByte)) {
		b.position = 0
	}
}
