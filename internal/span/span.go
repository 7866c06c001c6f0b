// Package span reads how long something takes as people write it: 30m or 8h by
// the clock, 90d, 26w, 18mo or 2y by the calendar.
package span

import (
	"errors"
	"strconv"
	"time"
)

// Span is a time by the calendar.
type Span struct {
	Years, Months, Days int
}

// ErrSpan is returned for what is no Span.
var ErrSpan = errors.New("want a number of years, months, weeks or days, such as 2y, 18mo, 26w or 90d")

// Parse reads a number and its unit: 2y, 18mo, 26w or 90d.
func Parse(text string) (Span, error) {
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(text[:i])
	if err != nil || n < 1 || n > 100_000 {
		return Span{}, ErrSpan
	}
	switch text[i:] {
	case "y":
		return Span{Years: n}, nil
	case "mo":
		return Span{Months: n}, nil
	case "w":
		return Span{Days: 7 * n}, nil
	case "d":
		return Span{Days: n}, nil
	default:
		return Span{}, ErrSpan
	}
}

// Before is the moment that is s before t.
func (s Span) Before(t time.Time) time.Time { return t.AddDate(-s.Years, -s.Months, -s.Days) }

// After is the moment that is s after t.
func (s Span) After(t time.Time) time.Time { return t.AddDate(s.Years, s.Months, s.Days) }

// Before is the moment that is before t by what text says, a Span or a duration
// such as 8h; ok is false if it is neither, or not more than nothing.
func Before(t time.Time, text string) (_ time.Time, ok bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return t.Add(-d), d > 0
	}
	s, err := Parse(text)
	return s.Before(t), err == nil
}

// After is the moment that is after t by what text says, as for Before.
func After(t time.Time, text string) (_ time.Time, ok bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return t.Add(d), d > 0
	}
	s, err := Parse(text)
	return s.After(t), err == nil
}
