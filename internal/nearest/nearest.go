// Package nearest finds the word that somebody meant who has mistyped it.
package nearest

import "github.com/xrash/smetrics"

// Word returns the one of known that word was most probably meant to be, "" if none
// is like it. A third of a word's letters may be wrong, rounded up, so that two letters
// may be swapped in a word of four: that takes two changes.
func Word(word string, known []string) string {
	best, distance := "", (len(word)+2)/3+1
	for _, k := range known {
		if d := smetrics.WagnerFischer(word, k, 1, 1, 1); d < distance {
			best, distance = k, d
		}
	}
	return best
}
