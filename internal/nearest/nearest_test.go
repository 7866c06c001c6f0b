package nearest_test

import (
	"testing"

	"hoptech.co.nz/flashd/internal/nearest"
)

func TestWord(t *testing.T) {
	known := []string{"write", "verify", "connect", "rework", "list", "o"}
	for word, want := range map[string]string{
		"wriet": "write", "verfy": "verify", "conect": "connect", "reword": "rework", "write": "write",
		"lsit":  "list",
		"flash": "", "xyz": "", "": "",
	} {
		if got := nearest.Word(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
