package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// reworker is a daemon, or the record while none runs.
type reworker interface {
	Rework(context.Context, web.ReworkRequest) (web.ReworkAnswer, error)
	CancelRework(ctx context.Context, id uint64, by, reason string) (jobs.Rework, error)
	Close()
}

// dialStation finds the daemon that runs on a state directory, and opens the
// record itself if none does.
func dialStation(c *cli.Context) (reworker, error) {
	cfg, err := recordConfig(c)
	if err != nil {
		return nil, err
	}
	client, err := web.Dial(cfg.StateDir)
	if err == nil {
		return client, nil
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return nil, diskError(err)
	}
	// Without a release that can be loaded, what is set is checked when it is carried out.
	release, _ := settings{Config: cfg}.loadRelease()
	return offline{cfg.StateDir, release}, nil
}

// offline changes the record of a station whose daemon does not run. It holds it
// for a moment each time, so that a daemon can start beside a scanner.
type offline struct {
	stateDir string
	release  *firmware.Release // of the station; nil: not known
}

func (offline) Close() {}

func (o offline) Rework(_ context.Context, q web.ReworkRequest) (a web.ReworkAnswer, err error) {
	if q.Slot != "" {
		return a, withHint(exitNoDaemon, fmt.Errorf("what is in slot %.40s is not known: %w", q.Slot, web.ErrNoDaemon), "Name the unit by its device ID, or start flashd first.")
	}
	r, err := q.Rework(time.Now())
	if err != nil {
		return a, usagef("%w", err)
	}
	if o.release != nil {
		if err := station.CheckRework(o.release, r); err != nil {
			return a, err
		}
	}
	err = o.update(func(s *jobs.Store) error {
		a.Rework, err = s.AllowRework(r)
		return err
	})
	return a, err
}

func (o offline) CancelRework(_ context.Context, id uint64, by, reason string) (r jobs.Rework, err error) {
	err = o.update(func(s *jobs.Store) error {
		r, err = s.CancelRework(id, by, reason)
		return err
	})
	return r, err
}

func (o offline) update(change func(*jobs.Store) error) error {
	store, err := openExisting(o.stateDir)
	if err != nil {
		return err
	}
	return errors.Join(change(store), store.Close())
}

// openExisting opens the store for writing, but makes none.
func openExisting(stateDir string) (*jobs.Store, error) {
	if _, err := os.Stat(storePath(stateDir)); errors.Is(err, fs.ErrNotExist) {
		return nil, storeError(stateDir, jobs.ErrNone)
	}
	store, err := jobs.Open(storePath(stateDir))
	if err != nil {
		return nil, storeError(stateDir, err)
	}
	return store, nil
}
