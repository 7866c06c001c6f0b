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
	start := t0.Local().Format(time.DateTime)
	want := [][]string{
		jobs.AttemptColumns,
		{"3", start, "'@slot", "", "gateway-1.4.2", "open", "", "", "", ""},
		{"2", start, "1", unitN(2), "gateway-1.4.2", "fail", "9.0", "connect", "no_sync", "'" + r.Failure.Text},
		{"1", start, "1", unitN(1), "gateway-1.4.2", "pass", "20.0", "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CSV of attempts (-want +got):\n%s", diff)
	}
}

func TestWriteCSVGuardsFormulas(t *testing.T) {
	for field, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx",
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
	want := []string{unitN(1), chip, "true", "gateway-1.4.2", "true", "1", t0.Add(20 * time.Second).Local().Format(time.DateTime), "pass", "allowed by Kim"}
	if !slices.Equal(got, want) || len(got) != len(jobs.UnitColumns) {
		t.Errorf("row of a unit %q, want %q", got, want)
	}
}
