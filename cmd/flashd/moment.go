package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/span"
)

// sinceAndUntil are the moments between which a list is wanted; a zero time is no bound.
func sinceAndUntil(c *cli.Context) (since, until time.Time, err error) {
	if since, err = momentFlag(c, "since"); err != nil {
		return since, until, err
	}
	until, err = momentFlag(c, "until")
	return since, until, err
}

// momentFlag is the moment that a flag names; the zero time if it is not set.
func momentFlag(c *cli.Context, name string) (time.Time, error) {
	if !c.IsSet(name) {
		return time.Time{}, nil
	}
	t, err := parseMoment(c.String(name), time.Now())
	if err != nil {
		return t, usagef("--%s %w", name, err)
	}
	return t, nil
}

// parseMoment reads a moment, or how long ago it was.
func parseMoment(s string, now time.Time) (time.Time, error) {
	if t, ok := span.Before(now, s); ok {
		return t, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q: want a day such as 2026-11-24, a time such as 2026-11-24T15:04, or a span such as 8h or 30d", s)
}
