package credentials

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Prober is implemented by a Source that can be asked whether it is there.
type Prober interface {
	// Probe asks once, in a way that issues and changes nothing, and returns
	// the source's own idea of the time, zero if it does not say. The error is
	// ErrUnavailable if it cannot be reached or is out of order.
	Probe(ctx context.Context) (time.Time, error)
}

// Probe sends HEAD to the base URL. The token stays here: whether it is taken
// cannot be learnt without asking for a unit's credentials.
func (s *server) Probe(ctx context.Context) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.base.String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	req.Header.Set("User-Agent", "flashd")
	resp, err := s.client.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := resp.Body.Close(); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// A path of its own may well be missing; only the server has to be in order.
	if resp.StatusCode >= 500 {
		return time.Time{}, fmt.Errorf("HEAD %s: %w (%d %s)", s.base, ErrUnavailable, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil // it is there, which was the question
	}
	return date, nil
}
