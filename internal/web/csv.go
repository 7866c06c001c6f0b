package web

import (
	"fmt"
	"io"
	"iter"
	"net/http"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// attemptsCSV is for spreadsheets: all that the filter selects.
func (s *server) attemptsCSV(w http.ResponseWriter, r *http.Request) {
	f, ok := s.filter(w, r)
	if !ok {
		return
	}
	header, row := jobs.AttemptFields(station.Phases())
	answerCSV(w, "attempts.csv", s.Store.Attempts(f), header, row)
}

func (s *server) unitsCSV(w http.ResponseWriter, r *http.Request) {
	if f, list, ok := s.findUnits(w, r); ok {
		row := func(u foundUnit) []string { return u.Fields() }
		answerCSV(w, "units.csv", first(list, f.Limit), jobs.UnitHeader, row)
	}
}

// answerCSV sends a file a line at a time, as answerList does.
func answerCSV[T any](w http.ResponseWriter, name string, list iter.Seq2[T, error], header []string, row func(T) []string) {
	body := &bodyWriter{w: w}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	err := jobs.WriteCSV(body, list, header, row)
	switch {
	case err == nil || body.failed:
	case body.begun:
		panic(http.ErrAbortHandler)
	default:
		w.Header().Del("Content-Disposition")
		failStore(w, err)
	}
}

// bodyWriter knows whether the client has got something already, and whether
// it has gone.
type bodyWriter struct {
	w             io.Writer
	begun, failed bool
}

func (b *bodyWriter) Write(p []byte) (int, error) {
	b.begun = true
	n, err := b.w.Write(p)
	b.failed = err != nil
	return n, err
}
