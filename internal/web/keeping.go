package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// keeping are the parts that look after the record itself. They are on the control
// socket alone: a backup is the whole record, and a check reads all of it.
func (s *server) keeping() map[string]http.Handler {
	return map[string]http.Handler{
		"/api/v1/backup":  onlyMethods(http.HandlerFunc(s.backup), http.MethodGet),
		"/api/v1/check":   onlyMethods(http.HandlerFunc(s.check), http.MethodGet),
		"/api/v1/archive": onlyMethods(audited(s.Log, s.archive), http.MethodPost),
	}
}

// backup sends the store as it is now. An answer that is cut off is no backup.
func (s *server) backup(w http.ResponseWriter, _ *http.Request) {
	body := &bodyWriter{w: w}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, err := s.Store.Backup(body)
	switch {
	case err == nil || body.failed:
	case body.begun:
		panic(http.ErrAbortHandler)
	default:
		failStore(w, err)
	}
}

// checkLine is a line of what a check has to say; the last one says how it ended.
type checkLine struct {
	Step    string `json:"step,omitempty"`
	Done    int    `json:"done,omitempty"`
	Total   int    `json:"total,omitempty"`
	Ended   bool   `json:"ended,omitempty"`
	Problem string `json:"problem,omitempty"` // "" if the record is whole
}

// tellWait is how often a check tells how far it is, beside the end of each step.
const tellWait = 200 * time.Millisecond

// check reads the whole store and tells how far it is, a line of JSON each time.
func (s *server) check(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines, flush := json.NewEncoder(w), http.NewResponseController(w)
	last := time.Time{}
	err := s.Store.Verify(func(step string, done, total int) error {
		if now := time.Now(); now.Sub(last) >= tellWait || done == total {
			last = now
			if err := errors.Join(lines.Encode(checkLine{Step: step, Done: done, Total: total}), flush.Flush()); err != nil {
				return err
			}
		}
		return r.Context().Err()
	})
	end := checkLine{Ended: true}
	if err != nil {
		end.Problem = err.Error()
	}
	_ = lines.Encode(end) // a client that has gone needs no answer
}

type archiveRequest struct {
	Before time.Time `json:"before"`
}

// archive moves attempts into the station's folder of archives.
func (s *server) archive(w http.ResponseWriter, r *http.Request) {
	var q archiveRequest
	if err := readJSON(w, r, &q); err != nil {
		fail(w, statusOf(err), "archive: "+err.Error(), `Send {"before": TIME} as application/json.`)
		return
	}
	if q.Before.IsZero() || q.Before.After(time.Now()) {
		fail(w, http.StatusBadRequest, "before: want a time that is past", "")
		return
	}
	note(w, "action", "archive", "before", q.Before)
	filled, err := s.Archive(r.Context(), q.Before)
	if err != nil {
		failStore(w, err)
		return
	}
	answer(w, http.StatusOK, filled)
}
