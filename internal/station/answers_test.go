package station_test

import (
	"context"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/jobs"
)

// oddFor has credentials that no NVS partition can hold for some units.
func oddFor(odd ...string) source {
	return func(_ context.Context, unit string) (credentials.Credentials, error) {
		password := "12345678901234567890"
		for _, o := range odd {
			if o == unit {
				password = strings.Repeat("odd", 2000) // a string in NVS has up to 4000 bytes
			}
		}
		return credentials.Credentials{DeviceID: unit, MQTTUser: unit, MQTTPassword: credentials.Secret(password)}, nil
	}
}

// What the config server says about one unit is an error of that unit's attempt,
// however often it is put in.
func TestOddAnswerAboutOneUnit(t *testing.T) {
	onBench(t, withSource(oddFor(unitOf(1))), func(b *bench) {
		for range 4 {
			b.insert(left, newUnit(1))
			b.expect(b.result(left), jobs.Error, "credentials", "bad_answer")
			b.remove(left)
		}
		if b.Ready() != nil || b.View().Held != "" {
			t.Errorf("ready: %v, held %q", b.Ready(), b.View().Held)
		}
		if strings.Contains(b.log.String(), "oddodd") {
			t.Error("the password is in the log")
		}
	})
}

// Several units in a row stop the line; one whose credentials can be used between
// them says that the config server is in order.
func TestOddAnswersInARow(t *testing.T) {
	onBench(t, withSource(oddFor(unitOf(1), unitOf(2), unitOf(4), unitOf(5), unitOf(6))), func(b *bench) {
		for n := 1; n <= 6; n++ {
			if b.Ready() != nil {
				t.Fatalf("the line has stopped before unit %d: %v", n, b.Ready())
			}
			b.insert(left, newUnit(n))
			if a := b.result(left); n == 3 {
				b.expect(a, jobs.Pass, "", "")
			} else {
				b.expect(a, jobs.Error, "credentials", "bad_answer")
			}
			b.remove(left)
		}
		if b.Ready() == nil || !strings.Contains(b.View().Held, "3 units in a row") {
			t.Errorf("ready: %v, held %q", b.Ready(), b.View().Held)
		}
	})
}
