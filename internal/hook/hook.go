// Package hook runs the programs of the configuration when something happens
// in a slot: for lamps, label printers, and hubs that can switch power.
package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hoptech.co.nz/flashd/internal/station"
)

// Programs are what is run.
type Programs struct {
	For     map[station.HookEvent][]string // a program and its arguments, by event; events without one are passed over
	Timeout time.Duration                  // what each run gets; it is then killed with its process group
	Log     *slog.Logger                   // gets what programs print, and how they fail
}

const (
	// outputKept is how many bytes of what a program prints are logged.
	outputKept = 4 << 10
	// outputDelay is how long is waited for the output of a program that has
	// ended, but has left another behind that could go on printing.
	outputDelay = time.Second
)

// Run runs the program for what has happened, and returns when it has ended. It
// fits station.Config.Hook.
func (p Programs) Run(ctx context.Context, what station.Happening) {
	argv := p.For[what.Event]
	if len(argv) == 0 {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.Timeout, fmt.Errorf("it was killed after %v", p.Timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environment(what)
	// A group of its own dies as a whole, and not of a Ctrl-C for flashd.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = outputDelay
	var out head
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	p.report(ctx, what, time.Since(start), &out, err)
}

func (p Programs) report(ctx context.Context, what station.Happening, took time.Duration, out *head, err error) {
	log := p.Log.With("event", what.Event, "slot", what.Slot, "attempt", what.Attempt, "took", took.Round(time.Millisecond))
	if text := out.String(); text != "" {
		log = log.With("output", text)
	}
	switch {
	case errors.Is(err, exec.ErrWaitDelay):
		log.Warn("a hook has left a process behind that holds its output")
	case err != nil && ctx.Err() != nil:
		log.Warn("a hook has not ended", "err", context.Cause(ctx))
	case err != nil:
		log.Warn("a hook has failed", "err", err)
	case out.len() > 0:
		log.Info("a hook has run")
	default:
		log.Debug("a hook has run")
	}
}

// inherited are the variables of flashd that a program gets, too. Others may
// hold secrets, as credentials.server.token_env has it.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// environment is what a program finds about what has happened. All variables
// are always there, if only empty, so that a script need not look for them.
func environment(what station.Happening) []string {
	var env []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	attempt := ""
	if what.Attempt > 0 {
		attempt = strconv.FormatUint(what.Attempt, 10)
	}
	for _, v := range [][2]string{
		{"EVENT", string(what.Event)},
		{"STATION", what.Station},
		{"SIMULATED", strconv.FormatBool(what.Simulated)},
		{"SLOT", what.Slot},
		{"PATH", what.Path},
		{"RELEASE", what.Release},
		{"ATTEMPT", attempt},
		{"UNIT", what.Unit},
		{"OUTCOME", string(what.Outcome)},
		{"PHASE", what.Phase},
		{"KIND", what.Kind},
		{"TEXT", what.Text},
		{"ERRORS_IN_A_ROW", strconv.Itoa(what.ErrorsInARow)},
	} {
		env = append(env, "FLASHD_"+v[0]+"="+strings.ReplaceAll(v[1], "\x00", "")) // which would end the value
	}
	return env
}

// head keeps the beginning of what is written to it.
type head struct {
	kept bytes.Buffer
	lost int
}

// Write implements io.Writer.
func (h *head) Write(b []byte) (int, error) {
	room := min(len(b), outputKept-h.kept.Len())
	h.kept.Write(b[:room])
	h.lost += len(b) - room
	return len(b), nil
}

func (h *head) len() int { return h.kept.Len() }

// String returns what was kept, and how much was not.
func (h *head) String() string {
	text := strings.TrimSpace(strings.ToValidUTF8(h.kept.String(), "\uFFFD"))
	if h.lost > 0 {
		text += fmt.Sprintf(" … and %d bytes more", h.lost)
	}
	return text
}
