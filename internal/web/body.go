package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
)

// maxBody is more than the longest rework takes, in bytes.
const maxBody = 64 << 10

var (
	errBodyTooLarge = fmt.Errorf("the body has more than %d bytes", maxBody)
	errBodyTooSlow  = errors.New("the body did not come in time")
)

// readJSON reads a body that is one object into a struct. Each name is to be
// there once, written exactly as the API has it: encoding/json would take the
// last of two, and pass over the case.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return fmt.Errorf("the body has the type %.40q", kind)
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	data = bytes.TrimSpace(data)
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case tooLarge:
		w.Header().Set("Connection", "close") // else the server waits for some more of it
		return errBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBodyTooSlow
	case err != nil:
		return fmt.Errorf("the body cannot be read: %w", err)
	case len(data) == 0:
		return errors.New("the body is empty")
	case data[0] != '{':
		return errors.New("the body is no JSON object")
	}
	err = json.Unmarshal(data, into)
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("the field %.40q is not for a %s", kind.Field, kind.Value)
	}
	if err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	return checkNames(json.NewDecoder(bytes.NewReader(data)), namesOf(into))
}

// checkNames reads a value, and refuses an object that has a name twice, or one
// that is not among known. Nil stands for all names.
func checkNames(d *json.Decoder, known []string) error {
	begin, err := d.Token()
	if begin != json.Delim('{') && begin != json.Delim('[') {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		if begin == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := token.(string)
			switch {
			case seen[name]:
				return fmt.Errorf("the field %.40q is there twice", name)
			case known != nil && !slices.Contains(known, name):
				return fmt.Errorf("there is no field %.40q, only %s", name, strings.Join(known, ", "))
			}
			seen[name] = true
		}
		if err := checkNames(d, nil); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// namesOf are the names that the fields of a struct have in JSON.
func namesOf(into any) (names []string) {
	for f := range reflect.TypeOf(into).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// statusOf is the status for a body that cannot be read.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errBodyTooSlow):
		return http.StatusRequestTimeout
	default:
		return http.StatusBadRequest
	}
}
