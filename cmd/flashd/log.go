package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
)

func logFormatFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "log-format", Usage: "text or json", DefaultText: "text"}
}

func newLogHandler(w io.Writer, cfg config.Log) (slog.Handler, error) {
	opts := &slog.HandlerOptions{}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	opts.Level = level
	switch cfg.Format {
	case "text":
		return slog.NewTextHandler(w, opts), nil
	case "json":
		return slog.NewJSONHandler(w, opts), nil
	default:
		return nil, usagef("--log-format %q: want text or json", cfg.Format)
	}
}
