package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hoptech.co.nz/flashd/internal/span"
	"hoptech.co.nz/flashd/jobs"
)

const (
	// upkeepEvery is how often the record is looked after.
	upkeepEvery = 24 * time.Hour
	// upkeepAfter is how long the line has to be quiet before.
	upkeepAfter = 2 * time.Minute
	// upkeepPatience is how long a quiet moment is waited for: a line that never
	// rests has its record looked after nevertheless.
	upkeepPatience = 6 * time.Hour
)

// upkeep looks after the record of a station once a day: it reads all of it, which
// Open leaves out after an orderly stop, and moves what is old into archives.
type upkeep struct {
	store   *jobs.Store
	keep    span.Span // the zero Span: for ever
	archive func(context.Context, time.Time) ([]jobs.Archive, error)
	working func() int // units under way
	log     *slog.Logger
}

func (l *line) upkeep() upkeep {
	return upkeep{
		store: l.store, keep: l.Retention.Keep.Span, working: func() int { return l.station.View().Working() }, log: l.log,
		archive: l.archive,
	}
}

// archive moves attempts that ended before then out of the record.
func (l *line) archive(ctx context.Context, before time.Time) ([]jobs.Archive, error) {
	return archiveInto(ctx, l.store, l.Config, before)
}

func (u upkeep) run(ctx context.Context) {
	for {
		u.awaitQuiet(ctx)
		if ctx.Err() != nil {
			return
		}
		u.once(ctx)
		sleep(ctx, upkeepEvery)
	}
}

// awaitQuiet returns when no unit has been under way for a while.
func (u upkeep) awaitQuiet(ctx context.Context) {
	const look = 10 * time.Second
	begun := time.Now()
	busy := begun // when a unit was last seen under way
	for ctx.Err() == nil && time.Since(busy) < upkeepAfter && time.Since(begun) < upkeepPatience {
		sleep(ctx, look)
		if u.working() > 0 {
			busy = time.Now()
		}
	}
}

// once checks first: nothing is moved out of a record that is not as it should be.
func (u upkeep) once(ctx context.Context) {
	err := u.store.Verify(func(string, int, int) error { return ctx.Err() })
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, jobs.ErrDamaged):
		u.log.Error("the record is damaged, and nothing is written to it any more: stop flashd and restore a backup", "err", err)
		return
	case err != nil:
		u.log.Error("the record is not as it should be", "err", err)
		return
	}
	if u.keep == (span.Span{}) {
		return
	}
	before := startOfDay(u.keep.Before(time.Now()))
	switch newest, err := newestStart(u.store); {
	case err != nil:
		u.log.Error("the record cannot be read", "err", err)
		return
	case newest.Before(before):
		u.log.Warn("all of the record is old enough to be archived; it stays, since the clock may be wrong", "newest", newest)
		return
	}
	filled, err := u.archive(ctx, before)
	if err != nil && ctx.Err() == nil {
		u.log.Error("old attempts cannot be archived; they stay in the record", "err", err)
	}
	for _, r := range filled {
		u.log.Info("old attempts were archived", "file", r.File, "attempts", r.Attempts, "before", r.Before)
	}
}

// startOfDay makes archives hold whole days.
func startOfDay(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, t.Location())
}

// sleep returns after d or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
