package jobs_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"hoptech.co.nz/flashd/jobs"
)

// Promise 8: whatever a careless caller puts into its sentences.
func TestNoSecretInTheFile(t *testing.T) {
	t.Parallel()
	s, path := openStore(t)
	secrets := []string{
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", // an MQTT password
		"9F86D081884C7D659A2FEAA0C55AD015",                                 // an MD5 or half a key
		"tok-live-4711.x/y",                                                // a bearer token
	}
	text := "POST answered 401 to Authorization: Bearer " + secrets[2] + " for " + secrets[0] + ", md5=" + secrets[1] + "."
	a := begin(t, s, "1")
	identify(t, s, a.ID, unitA, jobs.Provision)
	r := failed(jobs.Error)
	r.Failure.Text, r.Failure.Hint = text, text
	a = must(s.Finish(a.ID, r))(t)
	if !strings.Contains(a.Failure.Text, "POST answered 401") {
		t.Errorf("text %q, want the rest of it kept", a.Failure.Text)
	}
	run(t, s, unitA, jobs.Provision, pass())
	must(s.AllowRework(jobs.Rework{Unit: unitA, Reason: text, By: "Ana " + secrets[0]}))(t)
	a = begin(t, s, "1")
	for _, secret := range append(secrets, "hunter2", "pass word") {
		r := jobs.Result{Outcome: jobs.Aborted, Credential: secret}
		_, err := s.Finish(a.ID, r)
		if err == nil {
			t.Errorf("credential source %q was recorded", secret)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats it: %v", err)
		}
	}
	data := must(os.ReadFile(path))(t)
	for _, secret := range secrets {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("the file holds %q", secret)
		}
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                    "",
		"No answer from the chip.":            "No answer from the chip.",
		" two\r\n\tlines ":                    "two   lines",
		"bell\a, escape\x1b[31m, bad\xff\xfe": "bell, escape[31m, bad",
		"größer als 4 MiB":                    "größer als 4 MiB",
		"unit A1B2C3D4E5F6 at 0x10000":        "unit A1B2C3D4E5F6 at 0x10000",
	} {
		if got := jobs.Sentence(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	long := jobs.Sentence(strings.Repeat("ö", 5000))
	if len(long) > 1010 || !utf8.ValidString(long) {
		t.Errorf("%d bytes, valid %t", len(long), utf8.ValidString(long))
	}
}
