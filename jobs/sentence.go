package jobs

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxSentence bounds a sentence in the record, in bytes: a failure may quote
// what a chip printed, and a chip may print anything.
const maxSentence = 1000

// An MQTT password is 64 hexadecimal digits, an NVS key 128, and the MD5 of an
// NVS partition, 32 digits, would let a weak Wi-Fi password be guessed.
var secretRE = regexp.MustCompile(`(?i)\b(bearer)\s+\S+|[0-9a-f]{32,}`)

// sentence makes text safe to keep and to show: one line, valid UTF-8, of
// bounded length and without what looks like a secret.
func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(secretRE.ReplaceAllString(text, "$1[redacted]"))
	if len(text) > maxSentence {
		text = strings.ToValidUTF8(text[:maxSentence], "") + "…"
	}
	return text
}

// moment makes t as it will be read back: UTC, without the monotonic clock.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		t = time.Now()
	}
	return t.UTC().Round(0)
}
