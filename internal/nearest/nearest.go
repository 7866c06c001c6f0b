// Package nearest finds the word that somebody meant who has mistyped it.
package nearest

import "github.com/xrash/smetrics"

// Word returns that of known which word most probably was to be, "" if none is
// like it. A third of a word's letters may be wrong, and in a short word two:
// so many changes two swapped letters take.
func Word(word string, known []string) string {
	best, distance := "", 1+max((len(word)+2)/3, 1)
	for _, k := range known {
		if d := smetrics.WagnerFischer(word, k, 1, 1, 1); d < distance {
			best, distance = k, d
		}
	}
	return best
}
