package jobs_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/jobs"
)

// A record that can be read is written back so that it reads the same.
func FuzzRecord(f *testing.F) {
	s, _ := openStore(f)
	run(f, s, unitA, jobs.Provision, failed(jobs.Fail))
	run(f, s, unitA, jobs.Provision, pass())
	allow(f, s, true)
	run(f, s, unitA, jobs.ReworkAll, failed(jobs.Error))
	for _, record := range []any{list(f, s, jobs.Filter{})[0], list(f, s, jobs.Filter{})[1], unitOf(f, s, unitA), reworks(f, s, unitA)[0]} {
		f.Add(must(json.Marshal(record))(f))
	}
	f.Add([]byte(`{"id":18446744073709551615,"start":"2026-03-02T08:00:00+23:59","phases":[null,{}],"failure":{},"rework":null}`))
	f.Add([]byte(`{"id":-1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip[jobs.Attempt](t, data)
		roundTrip[jobs.Unit](t, data)
		roundTrip[jobs.Rework](t, data)
	})
}

func roundTrip[T any](t *testing.T, data []byte) {
	v, err := jobs.Decode[T](data)
	if err != nil {
		return
	}
	again, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%T that was read cannot be written: %v", v, err)
	}
	w, err := jobs.Decode[T](again)
	if err != nil {
		t.Fatalf("%T that was written cannot be read: %v\n%s", v, err, again)
	}
	third := must(json.Marshal(w))(t)
	if diff := cmp.Diff(string(again), string(third)); diff != "" {
		t.Errorf("%T (-first +second):\n%s", v, diff)
	}
}

func FuzzSentence(f *testing.F) {
	f.Add("Bearer abc\nxyz\xff")
	f.Fuzz(func(t *testing.T, text string) {
		once := jobs.Sentence(text)
		if len(once) > 1010 {
			t.Errorf("%d bytes", len(once))
		}
		data := must(json.Marshal(once))(t)
		var back string
		if err := json.Unmarshal(data, &back); err != nil || back != once {
			t.Errorf("%q reads back as %q (%v)", once, back, err)
		}
	})
}
