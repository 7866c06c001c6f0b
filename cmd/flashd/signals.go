package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// askedOnce is how long a second signal is taken for the first one: timeout(1) and a
// terminal send it to a process and to its group, and a process that ends has to close
// its attempt first. Who asks again after that does not want to wait.
const askedOnce = time.Second

// stopSignals end flashd in order: Ctrl-C, the service manager, and a terminal
// that is closed, unless nohup keeps that from us.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if hasTerminal() && !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// hasTerminal reports whether flashd was started from a terminal, wherever its
// output goes.
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = tty.Close() // only looked at
	return true
}

// stopInOrder says what happens when a station is asked to stop, and has the
// units under way abandoned when it is asked again. It returns when ctx ends.
func stopInOrder(ctx context.Context, asked <-chan os.Signal, log *slog.Logger, waiting func() string, abandon func()) {
	var first time.Time
	for {
		select {
		case <-asked:
		case <-ctx.Done():
			return
		}
		switch {
		case first.IsZero():
			first = time.Now()
			log.Info("stopping: " + waiting())
		case time.Since(first) >= askedOnce:
			log.Warn("asked to stop again: abandoning the units under way")
			abandon()
		}
	}
}
