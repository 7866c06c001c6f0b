package jobs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

// A rework of the NVS partition says which firmware the unit has, and that it was a
// rework; every other pass leaves its own release behind.
func TestFirmwareThatAReworkLeaves(t *testing.T) {
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	allow(t, s, false)
	left := jobs.Firmware{Release: "gateway-1.3.0", Digest: strings.Repeat("0a", 32), Proved: true}
	r := pass()
	r.Firmware = &left
	run(t, s, unitA, jobs.ReworkNVS, r)
	allow(t, s, false)
	run(t, s, unitA, jobs.ReworkNVS, pass())
	allow(t, s, true)
	run(t, s, unitA, jobs.ReworkAll, r)
	run(t, s, unitB, jobs.Provision, failed(jobs.Fail))

	own := &jobs.Firmware{Release: "gateway-1.4.2", Proved: true}
	header, row := jobs.AttemptFields(nil)
	for i, want := range []struct {
		firmware                *jobs.Firmware
		word, csv, csvs, proved string
	}{
		{nil, "", "", "", ""}, // failed
		{own, "all", "gateway-1.4.2", "", "true"},
		{nil, "nvs", "", "", ""}, // nobody knows
		{&left, "nvs", "gateway-1.3.0", left.Digest, "true"},
		{own, "", "gateway-1.4.2", "", "true"},
	} {
		a := list(t, s, jobs.Filter{})[i]
		if diff := cmp.Diff(want.firmware, a.LeftBehind()); diff != "" {
			t.Errorf("attempt %d leaves (-want +got):\n%s", a.ID, diff)
		}
		if a.Firmware != nil && a.Verdict != jobs.ReworkNVS {
			t.Errorf("attempt %d, which wrote all of it, says that it left %+v", a.ID, a.Firmware)
		}
		fields := named(t, header, row(a))
		got := []string{a.Row()[5], fields["rework_writes"], fields["firmware"], fields["firmware_digest"], fields["firmware_proved"]}
		if diff := cmp.Diff([]string{want.word, want.word, want.csv, want.csvs, want.proved}, got); diff != "" {
			t.Errorf("row of attempt %d (-want +got):\n%s", a.ID, diff)
		}
	}
}

func TestFirmwareThatCannotBe(t *testing.T) {
	for _, f := range []jobs.Firmware{{}, {Release: strings.Repeat("x", 1001)}, {Release: "a", Digest: "beef"}, {Release: "a", Digest: "no hex"}} {
		s, _ := openStore(t)
		a := begin(t, s, "1")
		identify(t, s, a.ID, unitA, jobs.Provision)
		r := pass()
		r.Firmware = &f
		if _, err := s.Finish(a.ID, r); err == nil || !strings.Contains(err.Error(), "firmware") {
			t.Errorf("%+v: error %v", f, err)
		}
		if _, err := s.Finish(a.ID, pass()); err != nil {
			t.Error(err)
		}
	}
}
