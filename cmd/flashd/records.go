package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/web"
	"hoptech.co.nz/flashd/jobs"
)

// storePath is the file of the record in a state directory.
func storePath(stateDir string) string { return filepath.Join(stateDir, "jobs.db") }

// records is what can be asked about the record, of the daemon that runs on a
// state directory or of the store itself.
type records interface {
	Unit(ctx context.Context, id string) (jobs.Unit, error)
	Units(ctx context.Context, f web.UnitFilter) iter.Seq2[jobs.Unit, error]
	Attempts(ctx context.Context, f jobs.Filter) iter.Seq2[jobs.Attempt, error]
	Reworks(ctx context.Context, unit string, open bool) iter.Seq2[jobs.Rework, error]
	Backup(ctx context.Context, w io.Writer) (int64, error)
	Verify(ctx context.Context, tell jobs.Progress) error
}

// openRecords asks the daemon if one runs, since it holds the store, and opens
// the store if none does.
func openRecords(c *cli.Context) (_ records, done func(), err error) {
	cfg, err := recordConfig(c)
	if err != nil {
		return nil, nil, err
	}
	stateDir := cfg.StateDir
	client, err := web.Dial(stateDir)
	if err == nil {
		return client, client.Close, nil
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return nil, nil, diskError(err)
	}
	store, err := jobs.OpenReadOnly(storePath(stateDir))
	if errors.Is(err, jobs.ErrOlder) {
		store, err = migrated(stateDir)
	}
	if err != nil {
		return nil, nil, storeError(stateDir, err)
	}
	return storeRecords{store, wordsOf(cfg)}, func() { _ = store.Close() }, nil // it was only read
}

// migrated opens a store that an older flashd wrote.
func migrated(stateDir string) (*jobs.Store, error) {
	store, err := jobs.Open(storePath(stateDir))
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return jobs.OpenReadOnly(storePath(stateDir))
}

// storeError says what to do about a store that does not open.
func storeError(stateDir string, err error) error {
	switch {
	case errors.Is(err, jobs.ErrInUse):
		return withHint(exitStoreInUse, err, "Another flashd command is using it; wait for it to end.")
	case errors.Is(err, jobs.ErrNone):
		return withHint(exitFailure, fmt.Errorf("nothing is recorded in %s", stateDir), "Name the directory that flashd serve or flashd flash used with --state-dir.")
	case errors.Is(err, jobs.ErrDamaged):
		return withHint(exitFailure, err, "To restore a backup, stop flashd and put the backup in the place of "+storePath(stateDir)+".")
	default:
		return diskError(err)
	}
}

// storeRecords asks the store itself.
type storeRecords struct {
	store *jobs.Store
	words web.Words // of the station that wrote it
}

// wordsOf is what a configuration tells of the words in the record.
func wordsOf(cfg *config.Config) web.Words {
	w := web.Words{Releases: func() ([]firmware.Summary, error) { return firmware.List(cfg.ImagesDir) }}
	for _, slot := range cfg.Slots {
		w.Slots = append(w.Slots, slot.Name)
	}
	return w
}

// failed yields an error alone.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(*new(T), err) }
}

func (s storeRecords) Unit(_ context.Context, id string) (jobs.Unit, error) { return s.store.Unit(id) }

func (s storeRecords) Units(_ context.Context, f web.UnitFilter) iter.Seq2[jobs.Unit, error] {
	if err := s.words.Check(jobs.Filter{Release: f.Release}, s.store); err != nil {
		return failed[jobs.Unit](err)
	}
	return f.Units(s.store)
}

func (s storeRecords) Attempts(_ context.Context, f jobs.Filter) iter.Seq2[jobs.Attempt, error] {
	if err := s.words.Check(f, s.store); err != nil {
		return failed[jobs.Attempt](err)
	}
	return s.store.Attempts(f)
}

func (s storeRecords) Reworks(_ context.Context, unit string, open bool) iter.Seq2[jobs.Rework, error] {
	if open {
		return jobs.InState(s.store.Reworks(unit, 0), jobs.ReworkArmed, time.Now())
	}
	return s.store.Reworks(unit, 0)
}

func (s storeRecords) Backup(_ context.Context, w io.Writer) (int64, error) { return s.store.Backup(w) }

func (s storeRecords) Verify(ctx context.Context, tell jobs.Progress) error {
	return s.store.Verify(func(step string, done, total int) error {
		return errors.Join(ctx.Err(), tell(step, done, total))
	})
}
