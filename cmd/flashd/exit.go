package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"hoptech.co.nz/flashd/internal/web"
)

// The exit codes that scripts can rely on.
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNoUnit      = 3
	exitRefused     = 4
	exitStoreInUse  = 5
	exitNoDaemon    = 6
	exitInterrupted = 130
)

// exitError is an error that knows its exit code and what to do about it.
type exitError struct {
	code int
	err  error
	hint string // one sentence on what to do; may be empty
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// answerCodes are the exit codes for what a daemon refuses.
var answerCodes = map[int]int{http.StatusBadRequest: exitUsage, http.StatusNotFound: exitNoUnit, http.StatusConflict: exitRefused}

// usagef is for command lines that cannot be right.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: "flashd --help and flashd COMMAND --help tell what can be said."}
}

// withHint adds an exit code and advice to err.
func withHint(code int, err error, hint string) error {
	return &exitError{code: code, err: err, hint: hint}
}

// report writes err as one sentence with its hint and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	var ee *exitError
	var answer *web.Error
	switch {
	case errors.As(err, &ee):
		fmt.Fprintf(stderr, "flashd: %s\n", inWords(err))
		if ee.hint != "" {
			fmt.Fprintf(stderr, "  %s\n", ee.hint)
		}
		return ee.code
	case errors.As(err, &answer):
		return report(stderr, withHint(cmp.Or(answerCodes[answer.Status], exitFailure), err, answer.Hint))
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "flashd: interrupted")
		return exitInterrupted
	default:
		fmt.Fprintf(stderr, "flashd: %s\n", inWords(err))
		return exitFailure
	}
}
