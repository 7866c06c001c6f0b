package station

import (
	"context"
	"sync/atomic"
)

// quota limits how many units are finished. Each attempt holds a token, and
// gives it back unless it finished a unit. A nil quota has no limit.
type quota struct {
	tokens chan struct{}
	left   atomic.Int64
	done   chan struct{} // closed when all are finished; nil without a limit
}

func newQuota(units int) *quota {
	if units == 0 {
		return &quota{}
	}
	q := &quota{tokens: make(chan struct{}, units), done: make(chan struct{})}
	q.left.Store(int64(units))
	for range units {
		q.tokens <- struct{}{}
	}
	return q
}

// take waits for a token and reports whether it got one: never once ctx has ended, even
// if there are some.
func (q *quota) take(ctx context.Context) bool {
	if q.tokens == nil || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	select {
	case <-q.tokens:
		return true
	case <-ctx.Done():
		return false
	}
}

// settle ends a token's use.
func (q *quota) settle(finished bool) {
	switch {
	case q.tokens == nil:
	case !finished:
		q.tokens <- struct{}{}
	case q.left.Add(-1) == 0:
		close(q.done)
	}
}
