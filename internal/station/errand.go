package station

import (
	"context"
	"errors"
	"time"

	"hoptech.co.nz/flashd/internal/credentials"
)

// errand fetches a unit's credentials while its firmware is being written.
type errand struct {
	unit    chan string // receives the device ID to fetch for, once
	done    chan struct{}
	secrets credentials.Credentials
	err     error
}

func newErrand() *errand {
	return &errand{unit: make(chan string, 1), done: make(chan struct{})}
}

// send names the unit; only the first name counts.
func (e *errand) send(unit string) {
	select {
	case e.unit <- unit:
	default:
	}
}

// runErrand waits until the unit is known and fetches its credentials. It may
// take as long as the attempt does.
func (a *attempt) runErrand(ctx context.Context) {
	defer close(a.errand.done)
	var unit string
	select {
	case unit = <-a.errand.unit:
	case <-ctx.Done():
		a.errand.err = context.Cause(ctx)
		return
	}
	start := time.Now()
	a.fetching.Add(1)
	a.errand.secrets, a.errand.err = a.Source.Fetch(ctx, unit)
	result := credentialResult(a.errand.err)
	a.metrics.credentialRequest(a.Source.Name(), result, time.Since(start))
	if waiting := a.fetching.Add(-1) > 0; !waiting || result != "unavailable" && result != "cancelled" {
		a.hinder(unanswered, nil) // it answers, or nobody asks it any more
	}
}

// wait waits for the credentials, but not once it is to be impatient.
func (e *errand) wait(ctx context.Context, impatient <-chan struct{}) (credentials.Credentials, error) {
	select {
	case <-e.done: // also if somebody is impatient
		return e.secrets, e.err
	default:
	}
	select {
	case <-e.done:
		return e.secrets, e.err
	case <-impatient:
		return credentials.Credentials{}, errStopped
	case <-ctx.Done():
		return credentials.Credentials{}, context.Cause(ctx)
	}
}

func credentialResult(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, credentials.ErrUnauthorized):
		return "unauthorized"
	case errors.Is(err, credentials.ErrUnknownUnit):
		return "unknown_unit"
	case errors.Is(err, credentials.ErrBadAnswer):
		return "bad_answer"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	default:
		return "unavailable"
	}
}
