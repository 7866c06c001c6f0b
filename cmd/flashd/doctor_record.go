package main

import (
	"context"
	"errors"

	"hoptech.co.nz/flashd/jobs"
)

// checkStore wants a record that opens, or none yet. That reads what a write could
// destroy; flashd jobs check reads all of it.
func checkStore(_ context.Context, p *patient) finding {
	store, err := jobs.OpenReadOnly(storePath(p.StateDir))
	switch {
	case errors.Is(err, jobs.ErrNone):
		return fine("none yet")
	case errors.Is(err, jobs.ErrInUse):
		return fine("in use by a flashd that runs")
	case errors.Is(err, jobs.ErrOlder):
		return fine("of an older flashd, to be brought up to date when the station starts")
	case err != nil:
		return wrongAs(storeError(p.StateDir, err), "Restore a backup.")
	}
	if err := store.Close(); err != nil {
		return wrong("Look at the disk.", "%v", err)
	}
	return fine("opens; flashd jobs check reads all of it")
}
