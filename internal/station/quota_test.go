package station

import (
	"context"
	"testing"
)

// A unit that is changed for another while a run of so many units stops is not begun,
// although there are units left to do.
func TestNoTokenAfterTheEnd(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	q := newQuota(100)
	for range 100 {
		if q.take(ended) {
			t.Fatal("a unit may be begun after the end")
		}
	}
	if !q.take(t.Context()) {
		t.Error("no token is left")
	}
}
