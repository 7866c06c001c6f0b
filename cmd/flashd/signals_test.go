package main

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A second signal at once is the first one, sent to the group as well; later it means
// that nobody wants to wait.
func TestStopInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		asked := make(chan os.Signal)
		abandoned := 0
		waiting := func() string { return "1 under way" }
		go stopInOrder(ctx, asked, slog.New(slog.DiscardHandler), waiting, func() { abandoned++ })
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 0}, {0, 0}, {askedOnce - 1, 0}, {1, 1}} {
			time.Sleep(step.after)
			asked <- syscall.SIGTERM
			synctest.Wait()
			if abandoned != step.want {
				t.Errorf("%v later the units were abandoned %d times, want %d", step.after, abandoned, step.want)
			}
		}
	})
}
