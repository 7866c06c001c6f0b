package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/nearest"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// Words are what the fields of a filter can be. A word that is none would select
// nothing, and look as if nothing had happened.
type Words struct {
	Slots    []string                           // the station's; nil: not known
	Releases func() ([]firmware.Summary, error) // asked for the releases that there are; nil: not known
}

// Check refuses a filter with a word that no attempt can have. A slot or a
// release may be gone and have attempts in the record: those are found. The
// error is an *Error.
func (w Words) Check(f jobs.Filter, store *jobs.Store) error {
	if err := CheckWords(f); err != nil {
		return err
	}
	for _, word := range []struct {
		field, text string
		known       func() []string
		alone       jobs.Filter
	}{
		{qSlot, f.Slot, func() []string { return w.Slots }, jobs.Filter{Slot: f.Slot}},
		{qRelease, f.Release, w.releases, jobs.Filter{Release: f.Release}},
	} {
		if word.text == "" {
			continue
		}
		known := word.known()
		if len(known) == 0 || slices.Contains(known, word.text) {
			continue
		}
		if recorded, err := anyAttempt(store, word.alone); err != nil {
			return err
		} else if !recorded {
			return unknownWord(word.field, word.text, known)
		}
	}
	return nil
}

// releases are the names of those that there are; none where that cannot be told, so
// that any will do.
func (w Words) releases() (names []string) {
	if w.Releases == nil {
		return nil
	}
	list, _ := w.Releases()
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names
}

// anyAttempt reports whether the record has an attempt that f selects.
func anyAttempt(store *jobs.Store, f jobs.Filter) (bool, error) {
	f.Limit = 1
	for _, err := range store.Attempts(f) {
		return err == nil, err
	}
	return false, nil
}

// CheckWords refuses a kind of failure or a phase that there is not. The error is
// an *Error.
func CheckWords(f jobs.Filter) error {
	if f.Kind != "" && !slices.Contains(station.Kinds(), f.Kind) {
		return unknownWord(qKind, f.Kind, station.Kinds())
	}
	if f.Phase != "" && !slices.Contains(station.Phases(), f.Phase) {
		return unknownWord(qPhase, f.Phase, station.Phases())
	}
	return nil
}

func unknownWord(field, text string, known []string) error {
	e := &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("%s %.40q is not known", field, text)}
	if near := nearest.Word(text, known); near != "" {
		e.Hint = fmt.Sprintf("Did you mean %s?", near)
	} else if len(known) == 1 {
		e.Hint = fmt.Sprintf("There is only %s.", known[0])
	} else {
		e.Hint = fmt.Sprintf("There are %s.", strings.Join(known, ", "))
	}
	return e
}

// words are those of the station now.
func (s *server) words() Words {
	w := Words{Releases: s.Releases}
	for _, slot := range s.Source.View().Slots {
		w.Slots = append(w.Slots, slot.Name)
	}
	return w
}
