package main

import (
	"context"
	"log/slog"

	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/internal/web"
)

// parts are what a line is made of that takes nothing away from one that runs:
// so a changed configuration can be tried before its turn comes.
type parts struct {
	release  *firmware.Release
	previous *firmware.Release // that units are believed to hold; nil: none
	source   credentials.Source
	hook     func(context.Context, station.Happening)
	token    credentials.Secret // that changes over the board's listener want
	shown    *web.Certificate   // by that listener; nil: plain HTTP
}

// parts reads all that the settings name. Waiting is told each time that a
// config server does not answer.
func (s settings) parts(waiting func(error), log *slog.Logger) (p parts, err error) {
	if p.release, err = s.loadRelease(); err != nil {
		return p, err
	}
	if p.previous, err = s.loadPrevious(p.release); err != nil {
		return p, err
	}
	if p.source, err = s.source(waiting); err != nil {
		return p, err
	}
	if p.hook, err = s.hook(log); err != nil {
		return p, err
	}
	if p.token, err = s.apiToken(); err != nil {
		return p, err
	}
	p.shown, err = s.certificate(log)
	return p, err
}
