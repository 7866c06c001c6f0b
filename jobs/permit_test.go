package jobs_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

func stateOf(t testing.TB, s *jobs.Store, id uint64) jobs.ReworkState {
	t.Helper()
	for _, r := range reworks(t, s, "") {
		if r.ID == id {
			return r.State(time.Now())
		}
	}
	t.Fatalf("no rework %d", id)
	return ""
}

func refused() jobs.Result { return jobs.Result{Outcome: jobs.Refused} }

func TestReworkExpires(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	synctest.Test(t, func(t *testing.T) {
		s := reopen(t, path)
		run(t, s, unitA, jobs.Provision, pass())
		ask := jobs.Rework{Unit: unitA, Reason: "return", By: "Ana", Expires: time.Now().Add(time.Hour)}
		first := must(s.AllowRework(ask))(t)
		time.Sleep(time.Hour - time.Second)
		if got := stateOf(t, s, first.ID); got != jobs.ReworkArmed {
			t.Errorf("a second before it expires it is %s", got)
		}
		time.Sleep(time.Second)
		if got := stateOf(t, s, first.ID); got != jobs.ReworkExpired {
			t.Errorf("when it expires it is %s", got)
		}
		run(t, s, unitA, jobs.AlreadyPassed, refused())
		if u := unitOf(t, s, unitA); !u.Passed || u.Rework.State(time.Now()) != jobs.ReworkExpired {
			t.Errorf("unit %+v, want it passed and nothing armed", u)
		}

		// Begun in time, and not done: the unit is neither what it was nor finished.
		ask.Expires = time.Now().Add(time.Hour)
		must(s.AllowRework(ask))(t)
		run(t, s, unitA, jobs.ReworkNVS, failed(jobs.Error))
		time.Sleep(time.Hour)
		run(t, s, unitA, jobs.Lapsed, refused())
		if _, err := s.AllowRework(ask); err == nil || !strings.Contains(err.Error(), "expired before") {
			t.Errorf("a rework that expires at once: %v", err)
		}
		ask.Expires = time.Time{}
		last := must(s.AllowRework(ask))(t)
		time.Sleep(1000 * 24 * time.Hour)
		run(t, s, unitA, jobs.ReworkNVS, pass())
		if got := stateOf(t, s, last.ID); got != jobs.ReworkUsed {
			t.Errorf("it is %s, want used", got)
		}
	})
}

func TestCancelRework(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	r := allow(t, s, false)
	for want, f := range map[string]func() (jobs.Rework, error){
		"a reason is required": func() (jobs.Rework, error) { return s.CancelRework(r.ID, "Bob", " ") },
		"the name of who":      func() (jobs.Rework, error) { return s.CancelRework(r.ID, "", "why not") },
		"no such rework":       func() (jobs.Rework, error) { return s.CancelRework(99, "Bob", "why not") },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	cancelled := must(s.CancelRework(r.ID, "Bob", "wrong unit"))(t)
	if cancelled.Cancelled.IsZero() || cancelled.CancelledBy != "Bob" || cancelled.CancelReason != "wrong unit" || cancelled.Reason != r.Reason {
		t.Errorf("cancelled: %+v", cancelled)
	}
	if diff := cmp.Diff([]jobs.Rework{cancelled}, reworks(t, s, unitA)); diff != "" {
		t.Errorf("the record (-answered +kept):\n%s", diff)
	}
	if _, err := s.CancelRework(r.ID, "Bob", "again"); !errors.Is(err, jobs.ErrReworkOver) || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("a second time: %v", err)
	}
	run(t, s, unitA, jobs.AlreadyPassed, refused())

	// One that an attempt has is not taken away from it.
	r = allow(t, s, false)
	a := begin(t, s, "7")
	identify(t, s, a.ID, unitA, jobs.ReworkNVS)
	if _, err := s.CancelRework(r.ID, "Bob", "stop"); !errors.Is(err, jobs.ErrReworkBegun) || !strings.Contains(err.Error(), "slot 7") {
		t.Errorf("under way: %v", err)
	}
	must(s.Finish(a.ID, failed(jobs.Error)))(t)
	must(s.CancelRework(r.ID, "Bob", "stop"))(t)
	run(t, s, unitA, jobs.Lapsed, refused())
	if u := unitOf(t, s, unitA); u.Passed || u.Rework != nil {
		t.Errorf("unit %+v, want it not passed and nothing armed", u)
	}
	allow(t, s, false)
	run(t, s, unitA, jobs.ReworkNVS, pass())
}

func TestReworkIsReplaced(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	first, second := allow(t, s, false), allow(t, s, true)
	if got := reworks(t, s, unitA)[1]; got.ReplacedBy != second.ID || got.State(time.Now()) != jobs.ReworkReplaced {
		t.Errorf("the first: %+v", got)
	}
	if _, err := s.CancelRework(first.ID, "Bob", "late"); !errors.Is(err, jobs.ErrReworkOver) {
		t.Errorf("cancel the first: %v", err)
	}
	if a := run(t, s, unitA, jobs.ReworkAll, pass()); a.Rework.ID != second.ID {
		t.Errorf("made with %d", a.Rework.ID)
	}
}

// What was asked for is recorded, and what only the record may say is not taken.
func TestReworkKeepsItsOptions(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	ask := jobs.Rework{
		Unit: unitA, Slot: "left-1", Reason: "return", By: "Ana", KeepAll: true, NewCredentials: true,
		Set: map[string]string{"region": "eu", "wifi:interval:u16": "60"}, Allowed: t0, Expires: t0.Add(100 * 365 * 24 * time.Hour),
	}
	forged := ask
	forged.ID, forged.Used, forged.Cancelled, forged.CancelledBy, forged.ReplacedBy = 77, t0, t0, "Eve", 5
	got := must(s.AllowRework(forged))(t)
	want := ask
	want.ID = 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rework (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]jobs.Rework{want}, reworks(t, s, unitA)); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0123456789abcdef", 4)
	for _, tc := range []struct {
		name, value, want string // want: what the error says, "" for none
	}{
		{"region", "eu", ""},
		{"wifi:ssid", "Büro 7", ""},
		{"wifi:interval:u16", "60", ""},
		{"keyboard", "de", ""},
		{"cert:ca:base64", "AAEC", ""},
		{"", "x", "want KEY"},
		{"wifi:", "x", "want KEY"},
		{"a:b:", "x", "NAMESPACE:KEY:TYPE"},
		{"a:b:u8:x", "x", "NAMESPACE:KEY:TYPE"},
		{"a:b:float", "x", "no type"},
		{"name_of_16_bytes", "x", "up to 15"},
		{"n:a=b", "x", "up to 15"},
		{"n:a\x00", "x", "up to 15"},
		{"mqtt_pass", "x", "called like a secret"},
		{"wifi:sta.pswd", "x", "called like a secret"},
		{"api_key", "x", "called like a secret"},
		{"cloud:TOKEN", "x", "called like a secret"},
		{"id", hash, "looks like a secret"},
		{"header", "Bearer abc", "looks like a secret"},
		{"n", strings.Repeat("x ", 600), "at most 1000"},
		{"n", "a\nb", "no line of text"},
		{"n", "\xff", "no line of text"},
	} {
		err := jobs.CheckSetting(tc.name, tc.value)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q=%.20q: error %v, want %q", tc.name, tc.value, err, tc.want)
		}
		if err != nil && len(tc.value) > 3 && strings.Contains(err.Error(), tc.value) {
			t.Errorf("%q: the error holds the value", tc.name)
		}
	}
	s, _ := openStore(t)
	run(t, s, unitA, jobs.Provision, pass())
	for want, set := range map[string]map[string]string{
		"called like a secret": {"region": "eu", "mqtt_pass": "x"},
		"at most 32":           settings(33),
	} {
		_, err := s.AllowRework(jobs.Rework{Unit: unitA, Reason: "r", By: "b", Set: set})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d settings: error %v, want %q", len(set), err, want)
		}
	}
	if _, err := s.AllowRework(jobs.Rework{Unit: unitA, Reason: "r", By: "b", Reflash: true, KeepAll: true}); err == nil {
		t.Error("everything is written again and kept")
	}
	if n := len(reworks(t, s, "")); n != 0 {
		t.Errorf("%d reworks recorded, want none", n)
	}
}

func settings(n int) map[string]string {
	set := map[string]string{}
	for i := range n {
		set[string(rune('a'+i%26))+string(rune('a'+i/26))] = "1"
	}
	return set
}

func FuzzCheckSetting(f *testing.F) {
	f.Add("wifi:interval:u16", "60")
	f.Add("a:b:", "\x00")
	f.Fuzz(func(t *testing.T, name, value string) {
		if jobs.CheckSetting(name, value) != nil {
			return
		}
		namespace, key, kind := jobs.SplitSetting(name)
		joined := key
		if namespace != "" || kind != "" || strings.HasPrefix(name, ":") {
			joined = namespace + ":" + key
		}
		if kind != "" {
			joined += ":" + kind
		}
		if joined != name || key == "" {
			t.Errorf("%q is taken apart into %q, %q, %q", name, namespace, key, kind)
		}
	})
}
