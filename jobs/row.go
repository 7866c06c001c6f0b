package jobs

import (
	"strconv"
	"strings"
	"time"
)

// AttemptColumns are the names of the columns of Attempt.Row. That of reworks says
// what they write: nvs or all.
var AttemptColumns = []string{"id", "start", "slot", "unit", "release", "rework", "outcome", "seconds", "phase", "kind", "text"}

// Row returns what people want of an attempt in a table, with times in the
// local time zone.
func (a Attempt) Row() []string {
	row := []string{strconv.FormatUint(a.ID, 10), localTime(a.Start), a.Slot, a.Unit, a.Release, a.Verdict.Rewrites(), a.outcomeWord(), a.seconds(1)}
	if a.Failure == nil {
		return append(row, "", "", "")
	}
	return append(row, a.Failure.Phase, a.Failure.Kind, strings.TrimSpace(a.Failure.Text))
}

// UnitColumns are the names of the columns of Unit.Row.
var UnitColumns = []string{"unit", "chip", "passed", "release", "first_pass", "attempts", "last", "last_outcome", "rework"}

// Row returns what people want of a unit in a table, with times in the local
// time zone.
func (u Unit) Row() []string {
	rework := ""
	if u.Rework != nil && u.Rework.State(time.Now()) == ReworkArmed {
		rework = "allowed by " + u.Rework.By
	}
	return []string{
		u.ID, u.Chip, strconv.FormatBool(u.Passed), u.PassedRelease, strconv.FormatBool(u.FirstPass), strconv.Itoa(u.Attempts),
		localTime(u.Last), string(u.LastOutcome), rework,
	}
}

// localTime is a time in the local zone, with its offset.
func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05Z07:00") }
