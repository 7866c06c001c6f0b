package jobs_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

func TestWriteCSV(t *testing.T) {
	s, _ := openStore(t)
	run(t, s, unitN(1), jobs.Provision, pass())
	r := failed(jobs.Fail)
	r.Failure.Text = `=HYPERLINK("http://evil.example","click, ""please""")`
	run(t, s, unitN(2), jobs.Provision, r)
	begin(t, s, "@slot")

	var out bytes.Buffer
	if err := jobs.WriteCSV(&out, s.Attempts(jobs.Filter{}), jobs.AttemptColumns, jobs.Attempt.Row); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	start := t0.Local().Format("2006-01-02 15:04:05Z07:00")
	want := [][]string{
		jobs.AttemptColumns,
		{"3", start, "'@slot", "", "gateway-1.4.2", "", "open", "", "", "", ""},
		{"2", start, "1", unitN(2), "gateway-1.4.2", "", "fail", "9.0", "connect", "no_sync", "'" + r.Failure.Text},
		{"1", start, "1", unitN(1), "gateway-1.4.2", "", "pass", "20.0", "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CSV of attempts (-want +got):\n%s", diff)
	}
}

func TestWriteCSVGuardsFormulas(t *testing.T) {
	for field, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x",
		"": "", "1=1": "1=1", "'=1": "'=1", "slot-1": "slot-1",
	} {
		var out bytes.Buffer
		rows := func(yield func(string, error) bool) { yield(field, nil) }
		if err := jobs.WriteCSV(&out, rows, []string{"h", ""}, func(f string) []string { return []string{f, ""} }); err != nil {
			t.Fatal(err)
		}
		got := strings.TrimSuffix(strings.TrimPrefix(out.String(), "h,\n"), ",\n")
		if strings.Trim(got, `"`) != want {
			t.Errorf("%q becomes %q, want %q", field, got, want)
		}
	}
}

func TestWriteCSVStopsAtErrors(t *testing.T) {
	broken := errors.New("broken")
	rows := func(yield func(string, error) bool) { _ = yield("a", nil) && yield("", broken) }
	err := jobs.WriteCSV(&bytes.Buffer{}, rows, []string{"h"}, func(f string) []string { return []string{f} })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestRows(t *testing.T) {
	s, _ := openStore(t)
	run(t, s, unitN(1), jobs.Provision, pass())
	if _, err := s.AllowRework(jobs.Rework{Unit: unitN(1), Reason: "broker moved", By: "Kim"}); err != nil {
		t.Fatal(err)
	}
	got := unitOf(t, s, unitN(1)).Row()
	want := []string{unitN(1), chip, "true", "gateway-1.4.2", "true", "1", t0.Add(20 * time.Second).Local().Format("2006-01-02 15:04:05Z07:00"), "pass", "allowed by Kim"}
	if !slices.Equal(got, want) || len(got) != len(jobs.UnitColumns) {
		t.Errorf("row of a unit %q, want %q", got, want)
	}
}

func TestFields(t *testing.T) {
	s, _ := openStore(t)
	r := failed(jobs.Error)
	r.Notes = []string{"The hub was reset.", "It took two tries."}
	run(t, s, unitA, jobs.Provision, r)
	a := begin(t, s, "2")
	identify(t, s, a.ID, unitA, jobs.Provision)
	for _, seconds := range []float64{1.25, 2} {
		if err := s.EndPhase(a.ID, jobs.Phase{Name: "write", Start: t0, Seconds: seconds}); err != nil {
			t.Fatal(err)
		}
	}
	must(s.Finish(a.ID, pass()))(t)
	allow(t, s, false)
	begin(t, s, "3")

	header, row := jobs.AttemptFields([]string{"connect", "write"})
	at := func(seconds int) string {
		return t0.Add(time.Duration(seconds) * time.Second).Local().Format("2006-01-02T15:04:05.000Z07:00")
	}
	for i, want := range []map[string]string{
		{"id": "3", "start": at(0), "end": "", "slot": "3", "path": "1-1.3", "release": "gateway-1.4.2", "tool": "flashd 0.1", "outcome": "open", "written_bytes": "0", "boot_checked": "false"},
		{
			"id": "2", "start": at(0), "end": at(20), "slot": "2", "path": "1-1.2", "unit": unitA, "chip": chip, "release": "gateway-1.4.2", "tool": "flashd 0.1",
			"verdict": "provision", "outcome": "pass", "credential": "derive", "written_bytes": "900000", "verified": "app nvs", "boot_checked": "true",
			"firmware": "gateway-1.4.2", "firmware_proved": "true", "seconds": "20.000", "seconds_write": "3.250",
		},
		{
			"id": "1", "start": at(0), "end": at(9), "slot": "1", "path": "1-1.1", "unit": unitA, "chip": chip, "release": "gateway-1.4.2", "tool": "flashd 0.1",
			"verdict": "provision", "outcome": "error", "phase": "connect", "kind": "no_sync", "blame": "rig", "text": "No answer from the chip.", "hint": "Reseat the board.",
			"notes": "The hub was reset. It took two tries.", "written_bytes": "0", "boot_checked": "false", "seconds": "9.000",
		},
	} {
		if diff := cmp.Diff(want, named(t, header, row(list(t, s, jobs.Filter{})[i]))); diff != "" {
			t.Errorf("attempt %s (-want +got):\n%s", want["id"], diff)
		}
	}
	want := map[string]string{
		"unit": unitA, "chip": chip, "first": at(0), "last": at(20), "passed": "true", "passed_at": at(20), "release": "gateway-1.4.2",
		"first_pass": "true", "firmware": "true", "attempts": "2", "fails": "0", "refused": "0", "archived": "0", "last_outcome": "pass", "rework": "1",
	}
	got := named(t, jobs.UnitHeader, unitOf(t, s, unitA).Fields())
	for _, of := range []string{"rework_reason", "rework_by"} {
		if got[of] == "" {
			t.Errorf("%s is not told", of)
		}
		delete(got, of)
	}
	delete(got, "rework_expires")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unit (-want +got):\n%s", diff)
	}
}

// named pairs the columns of a row with their names, without the empty ones but
// for end, which an open attempt lacks.
func named(t *testing.T, header, row []string) map[string]string {
	t.Helper()
	if len(header) != len(row) {
		t.Fatalf("%d columns with %d names", len(row), len(header))
	}
	fields := map[string]string{}
	for i, name := range header {
		if row[i] != "" || name == "end" {
			fields[name] = row[i]
		}
	}
	return fields
}
