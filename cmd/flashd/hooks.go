package main

import (
	"context"
	"log/slog"

	"hoptech.co.nz/flashd/internal/hook"
	"hoptech.co.nz/flashd/internal/station"
)

// hook returns what is told about the slots; nil: nobody is. It is an error if
// others than this user's could choose what is run.
func (s settings) hook(log *slog.Logger) (func(context.Context, station.Happening), error) {
	h := &s.Hooks
	if !h.Any() {
		return nil, nil
	}
	if err := h.Safe(s.configFile); err != nil {
		return nil, withHint(exitUsage, err, "Put that right, or take the section hooks out of flashd.yaml.")
	}
	return hook.Programs{
		For: map[station.HookEvent][]string{
			station.HookAttach: h.Attach, station.HookPass: h.Pass, station.HookFail: h.Fail,
			station.HookError: h.Error, station.HookRefused: h.Refused, station.HookDetach: h.Detach,
		},
		Timeout: h.Timeout, Log: log,
	}.Run, nil
}

// checkHooks wants hooks that serve would run.
func checkHooks(_ context.Context, p *patient) finding {
	if !p.Hooks.Any() {
		return fine("none")
	}
	if err := p.Hooks.Safe(p.configFile); err != nil {
		return wrong("flashd serve will not start with them.", "%v", err)
	}
	return fine("only root and this user can change what they do")
}
