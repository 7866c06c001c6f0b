package flasher

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxWait bounds one wait of a sequence, and with that a slip of the pen.
const maxWait = 10 * time.Second

// CheckResetSequence reports what is wrong with the text of a sequence for
// Options.Reset. It is written as in esptool's configuration
// (custom_reset_sequence): steps with | between them, each D or R and 1 or 0 for
// one line, U and both as in U1,0 for DTR and RTS in one step, or W and a time
// to wait in seconds. 1 asserts a line, that is, pulls the pin low. The usual
// reset is "D0|R1|W0.1|D1|R0|W0.05|D0".
func CheckResetSequence(text string) error {
	_, err := parseResetSequence(text)
	return err
}

func parseResetSequence(text string) (resetStrategy, error) {
	s := resetStrategy{name: "custom"}
	var lines resetStep
	for word := range strings.SplitSeq(text, "|") {
		if err := s.add(word, &lines); err != nil {
			return s, fmt.Errorf("reset sequence %q: %w", text, err)
		}
	}
	return s, nil
}

// add appends one step; lines is how the steps before have left them.
func (s *resetStrategy) add(word string, lines *resetStep) error {
	command, value := word[:min(1, len(word))], word[min(1, len(word)):]
	switch command {
	case "W":
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil || !(seconds >= 0 && seconds <= maxWait.Seconds()) { // so that it is no NaN
			return fmt.Errorf("%q: want a time in seconds from 0 to %g behind W", word, maxWait.Seconds())
		}
		if len(s.steps) == 0 { // nothing is set yet: hold the lines as they are
			s.steps = append(s.steps, *lines)
		}
		s.steps[len(s.steps)-1].hold += time.Duration(seconds * float64(time.Second))
		return nil
	case "D", "R", "U":
		if !lines.set(command, value) {
			return fmt.Errorf("%q: want 0 or 1 behind D and R, two of them as in U1,0 behind U", word)
		}
		s.steps = append(s.steps, *lines)
		return nil
	default:
		return fmt.Errorf("step %q: want D, R, U or W first", word)
	}
}

// set changes one line or both and reports whether value says to what.
func (r *resetStep) set(command, value string) bool {
	levels := map[string]bool{"0": false, "1": true}
	first, second, both := strings.Cut(value, ",")
	level, ok := levels[first]
	other, ok2 := levels[second]
	if !ok || both != (command == "U") || both && !ok2 {
		return false
	}
	switch command {
	case "D":
		r.dtr = level
	case "R":
		r.rts = level
	default:
		r.dtr, r.rts = level, other
	}
	return true
}
