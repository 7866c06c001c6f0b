package web

import (
	"errors"
	"io/fs"
	"net/http"

	"hoptech.co.nz/flashd/internal/firmware"
)

// release is one that is there, and whether the station writes it.
type release struct {
	firmware.Summary
	InUse bool `json:"inUse"`
}

// releases answers with an array, by name.
func (s *server) releases(w http.ResponseWriter, _ *http.Request) {
	list := []release{}
	if s.Releases != nil {
		found, err := s.Releases()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			fail(w, http.StatusInternalServerError, err.Error(), "")
			return
		}
		current := s.Source.View().Release
		for _, r := range found {
			list = append(list, release{r, r.Name == current})
		}
	}
	answer(w, http.StatusOK, list)
}
