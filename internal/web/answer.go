package web

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
)

// Error is an answer of the API that says what is wrong.
type Error struct {
	Status  int    `json:"-"`     // of HTTP
	Message string `json:"error"` // what is wrong, in one sentence
	Hint    string `json:"hint,omitempty"`
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func fail(w http.ResponseWriter, status int, message, hint string) {
	answer(w, status, &Error{Message: message, Hint: hint})
}

func answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil { // a NaN in a View would do it
		status, data = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be put into JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // a client that has gone needs no answer
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

// answerList sends an array an element at a time: there may be a million. Once
// it has begun, all that an error can do is to cut the answer off, so that the
// client cannot take a part for the whole.
func answerList[T any](w http.ResponseWriter, list iter.Seq2[T, error]) {
	begun := false
	for v, err := range list {
		var data []byte
		if err == nil {
			data, err = json.Marshal(v)
		}
		switch {
		case err != nil && begun:
			panic(http.ErrAbortHandler)
		case err != nil:
			failStore(w, err)
			return
		}
		lead := ",\n"
		if !begun {
			w.Header().Set("Content-Type", "application/json")
			lead, begun = "[\n", true
		}
		if _, err := w.Write(append([]byte(lead), data...)); err != nil {
			return
		}
	}
	if !begun {
		answer(w, http.StatusOK, []T{})
		return
	}
	_, _ = w.Write([]byte("\n]\n"))
}
