package jobs

import (
	"strconv"
	"strings"
	"time"
)

// AttemptFields returns the columns of a CSV file with all that is known of
// attempts, and what makes an attempt a row of it. Beside the seconds that the
// whole took there are those of each of the phases, whose names are given.
func AttemptFields(phases []string) (header []string, row func(Attempt) []string) {
	header = []string{
		"id", "start", "end", "slot", "path", "unit", "chip", "release", "release_digest", "tool", "verdict", "outcome",
		"phase", "kind", "blame", "text", "hint", "notes", "credential", "written_bytes", "verified", "boot_checked",
		"rework", "rework_writes", "rework_reason", "rework_by", "firmware", "firmware_digest", "firmware_proved", "seconds",
	}
	for _, name := range phases {
		header = append(header, "seconds_"+name)
	}
	return header, func(a Attempt) []string { return a.fields(phases) }
}

func (a Attempt) fields(phases []string) []string {
	var f Failure
	if a.Failure != nil {
		f = *a.Failure
	}
	rework, reason, by := "", "", ""
	if r := a.Rework; r != nil {
		rework, reason, by = strconv.FormatUint(r.ID, 10), r.Reason, r.By
	}
	firmware, digest, proved := "", "", ""
	if f := a.LeftBehind(); f != nil {
		firmware, digest, proved = f.Release, f.Digest, strconv.FormatBool(f.Proved)
	}
	row := []string{
		strconv.FormatUint(a.ID, 10), fullTime(a.Start), fullTime(a.End), a.Slot, a.Path, a.Unit, a.Chip, a.Release, a.ReleaseDigest, a.Tool,
		string(a.Verdict), a.outcomeWord(), f.Phase, f.Kind, string(f.Blame), f.Text, f.Hint, strings.Join(a.Notes, " "), a.Credential,
		strconv.FormatInt(a.Written, 10), a.verifiedNames(), strconv.FormatBool(a.BootChecked), rework, a.Verdict.Rewrites(), reason, by,
		firmware, digest, proved, a.seconds(3),
	}
	for _, name := range phases {
		row = append(row, a.phaseSeconds(name))
	}
	return row
}

// outcomeWord is the outcome, of an open attempt "open".
func (a Attempt) outcomeWord() string {
	if a.Open() {
		return "open"
	}
	return string(a.Outcome)
}

// seconds is how long a took, "" while it is open.
func (a Attempt) seconds(digits int) string {
	if a.Open() {
		return ""
	}
	return strconv.FormatFloat(a.End.Sub(a.Start).Seconds(), 'f', digits, 64)
}

// phaseSeconds is how long a phase took, however often it was begun again; "" if it
// never was.
func (a Attempt) phaseSeconds(name string) string {
	sum, met := 0.0, false
	for _, p := range a.Phases {
		if p.Name == name {
			sum, met = sum+p.Seconds, true
		}
	}
	if !met {
		return ""
	}
	return strconv.FormatFloat(sum, 'f', 3, 64)
}

func (a Attempt) verifiedNames() string {
	names := make([]string, len(a.Verified))
	for i, r := range a.Verified {
		names[i] = r.Name
	}
	return strings.Join(names, " ")
}

// UnitHeader are the names of the columns of Unit.Fields.
var UnitHeader = []string{
	"unit", "chip", "first", "last", "passed", "passed_at", "release", "first_pass", "firmware", "attempts", "fails", "refused", "archived",
	"last_outcome", "open", "rework", "rework_reason", "rework_by", "rework_expires",
}

// Fields returns all that is known of a unit, for a row of a CSV file.
func (u Unit) Fields() []string {
	row := []string{
		u.ID, u.Chip, fullTime(u.First), fullTime(u.Last), strconv.FormatBool(u.Passed), fullTime(u.PassedAt), u.PassedRelease,
		strconv.FormatBool(u.FirstPass), strconv.FormatBool(u.Firmware), strconv.Itoa(u.Attempts), strconv.Itoa(u.Fails), strconv.Itoa(u.Refused),
		strconv.Itoa(u.Archived.Attempts + u.Archived.Refused), string(u.LastOutcome), "", "", "", "", "",
	}
	if u.Open != 0 {
		row[14] = strconv.FormatUint(u.Open, 10)
	}
	if r := u.Rework; r != nil && r.State(time.Now()) == ReworkArmed {
		copy(row[15:], []string{strconv.FormatUint(r.ID, 10), r.Reason, r.By, fullTime(r.Expires)})
	}
	return row
}

// fullTime is a time in the local zone, with its offset; "" for none.
func fullTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02T15:04:05.000Z07:00")
}
