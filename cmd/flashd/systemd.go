package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"hoptech.co.nz/flashd/internal/station"
)

// statusEvery is how often systemctl status gets a new line where no watchdog
// asks more often.
const statusEvery = 5 * time.Second

// tellSystemd tells the service manager, if there is one, that the line is
// ready, how it is, that it is alive, and when stopping ends that no unit is
// begun any more, for good or until the changed configuration is taken up. It returns when ctx ends.
//
// It says alive only after the station has shown its board: one that hangs is
// killed, and all that it had begun is begun again after the restart.
func tellSystemd(ctx, stopping context.Context, view func() station.View, log *slog.Logger) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	say := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("systemd cannot be told", "err", err)
		}
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog is not asked for rightly", "err", err)
	}
	look := time.NewTicker(min(statusEvery, cmp.Or(watchdog/3, statusEvery)))
	defer look.Stop()
	stopped := stopping.Done()
	for state := daemon.SdNotifyReady; ; state = daemon.SdNotifyWatchdog {
		say(state + "\nSTATUS=" + statusLine(view()))
		select {
		case <-look.C:
		case <-stopped:
			stopped = nil
			if errors.Is(context.Cause(stopping), station.ErrDrain) {
				say(daemon.SdNotifyReloading)
				continue
			}
			say(daemon.SdNotifyStopping)
		case <-ctx.Done():
			return
		}
	}
}

// statusLine is the line for systemctl status.
func statusLine(v station.View) string {
	if v.Held != "" {
		return "Held: " + v.Held
	}
	t := v.Totals
	return fmt.Sprintf("%d of %d slots working; %d units, %d passed, %d failed; release %s", v.Working(), len(v.Slots), t.Units, t.Passed, t.Failed, v.Release)
}
