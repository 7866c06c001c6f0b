package station

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"hoptech.co.nz/flashd/jobs"
)

func TestMetricsFollowConvention(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := newMetrics(reg)
	m.setBuild("v1.2.3", "demo")
	m.setSource("server")
	m.setFixture([]Slot{{"1-1.1", "left"}})
	m.phaseEnded("write", time.Second)
	m.attemptEnded(jobs.Attempt{Outcome: jobs.Fail, Failure: &jobs.Failure{Phase: "write", Kind: "timeout", Blame: jobs.BlameUnit}})
	m.credentialRequest("server", "ok", time.Second)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsStartAtZero(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := newMetrics(reg)
	m.setSource("server")
	m.setFixture([]Slot{{"1-1.1", "left"}})
	want := `
# HELP flashd_attempts_total Attempts that have ended, by outcome.
# TYPE flashd_attempts_total counter
flashd_attempts_total{outcome="aborted"} 0
flashd_attempts_total{outcome="error"} 0
flashd_attempts_total{outcome="fail"} 0
flashd_attempts_total{outcome="pass"} 0
flashd_attempts_total{outcome="refused"} 0
# HELP flashd_credential_requests_total Requests for a unit's credentials, by source and result.
# TYPE flashd_credential_requests_total counter
flashd_credential_requests_total{result="bad_answer",source="server"} 0
flashd_credential_requests_total{result="cancelled",source="server"} 0
flashd_credential_requests_total{result="ok",source="server"} 0
flashd_credential_requests_total{result="unauthorized",source="server"} 0
flashd_credential_requests_total{result="unavailable",source="server"} 0
flashd_credential_requests_total{result="unknown_unit",source="server"} 0
# HELP flashd_credential_retries_total Times that the source of credentials was not available and had to be asked again.
# TYPE flashd_credential_retries_total counter
flashd_credential_retries_total{source="server"} 0
# HELP flashd_line_held 1 while the line waits for something or has stopped, else 0.
# TYPE flashd_line_held gauge
flashd_line_held 0
# HELP flashd_line_stopped 1 while no unit is begun: until flashd is started again or, if the record cannot be written or the USB cannot be used, until it can.
# TYPE flashd_line_stopped gauge
flashd_line_stopped 0
# HELP flashd_reworks_total Attempts to rework a unit that have ended, by what they write (nvs or all) and outcome.
# TYPE flashd_reworks_total counter
flashd_reworks_total{outcome="aborted",writes="all"} 0
flashd_reworks_total{outcome="aborted",writes="nvs"} 0
flashd_reworks_total{outcome="error",writes="all"} 0
flashd_reworks_total{outcome="error",writes="nvs"} 0
flashd_reworks_total{outcome="fail",writes="all"} 0
flashd_reworks_total{outcome="fail",writes="nvs"} 0
flashd_reworks_total{outcome="pass",writes="all"} 0
flashd_reworks_total{outcome="pass",writes="nvs"} 0
flashd_reworks_total{outcome="refused",writes="all"} 0
flashd_reworks_total{outcome="refused",writes="nvs"} 0
# HELP flashd_slot_attempts_total Attempts that have ended, by configured slot and outcome. A fixture without configured slots has none.
# TYPE flashd_slot_attempts_total counter
flashd_slot_attempts_total{outcome="aborted",slot="left"} 0
flashd_slot_attempts_total{outcome="error",slot="left"} 0
flashd_slot_attempts_total{outcome="fail",slot="left"} 0
flashd_slot_attempts_total{outcome="pass",slot="left"} 0
flashd_slot_attempts_total{outcome="refused",slot="left"} 0
# HELP flashd_slots Slots of the fixture, by state.
# TYPE flashd_slots gauge
flashd_slots{state="empty"} 0
flashd_slots{state="error"} 0
flashd_slots{state="fail"} 0
flashd_slots{state="pass"} 0
flashd_slots{state="refused"} 0
flashd_slots{state="working"} 0
# HELP flashd_units_total Units that were judged, by outcome: pass or fail.
# TYPE flashd_units_total counter
flashd_units_total{outcome="fail"} 0
flashd_units_total{outcome="pass"} 0
`
	err := testutil.GatherAndCompare(reg, strings.NewReader(want),
		"flashd_attempts_total", "flashd_reworks_total", "flashd_slot_attempts_total",
		"flashd_credential_requests_total", "flashd_credential_retries_total",
		"flashd_line_held", "flashd_line_stopped", "flashd_slots", "flashd_units_total")
	if err != nil {
		t.Error(err)
	}
	failures := testutil.CollectAndCount(m.failures)
	for _, f := range [][]string{{"connect", "no_sync", "rig"}, {"verify", "mismatch", "unit"}, {"write", "stopped", "rig"}} {
		if got := testutil.ToFloat64(m.failures.WithLabelValues(f...)); got != 0 {
			t.Errorf("failure %v: %v, want 0", f, got)
		}
	}
	if got := testutil.CollectAndCount(m.failures); got != failures {
		t.Errorf("%d of the failures above were not there from the start", got-failures)
	}
	if got := testutil.CollectAndCount(m.phases); got != len(Phases()) {
		t.Errorf("%d phases, want %d", got, len(Phases()))
	}
}

// Whatever paths units turn up at, only the configured slots are labels.
func TestMetricsOfSlots(t *testing.T) {
	m := newMetrics(prometheus.NewPedanticRegistry())
	m.setFixture([]Slot{{"1-1.1", "left"}, {"1-1.2", "right"}})
	series := testutil.CollectAndCount(m.bySlot)
	for _, slot := range []string{"left", "left", "right", "1-7.3", ""} {
		m.attemptEnded(jobs.Attempt{Slot: slot, Outcome: jobs.Error})
	}
	if got := testutil.ToFloat64(m.bySlot.WithLabelValues("left", "error")); got != 2 {
		t.Errorf("left: %v errors, want 2", got)
	}
	if got := testutil.ToFloat64(m.attempts.WithLabelValues("error")); got != 5 {
		t.Errorf("all: %v errors, want 5", got)
	}
	if got := testutil.CollectAndCount(m.bySlot); got != series {
		t.Errorf("%d series, were %d", got, series)
	}
}

func TestMetricsCount(t *testing.T) {
	m := newMetrics(prometheus.NewPedanticRegistry())
	start := time.Now()
	m.attemptEnded(jobs.Attempt{Outcome: jobs.Pass, Start: start, End: start.Add(9 * time.Second)})
	m.attemptEnded(jobs.Attempt{
		Outcome: jobs.Fail, Start: start, End: start.Add(time.Second),
		Failure: &jobs.Failure{Phase: "verify", Kind: "mismatch", Blame: jobs.BlameUnit},
	})
	m.attemptEnded(jobs.Attempt{
		Outcome: jobs.Error, Start: start, End: start.Add(time.Second),
		Failure: &jobs.Failure{Phase: "credentials", Kind: "unavailable", Blame: jobs.BlameRig},
	})
	m.wrote(1000)
	m.wrote(24)
	m.setSlots(map[SlotState]int{Working: 3, Empty: 5})
	m.setSlots(map[SlotState]int{Working: 2})
	m.setHeld(true)
	for _, c := range []struct {
		name string
		got  prometheus.Collector
		want float64
	}{
		{"pass attempts", m.attempts.WithLabelValues("pass"), 1},
		{"fail attempts", m.attempts.WithLabelValues("fail"), 1},
		{"error attempts", m.attempts.WithLabelValues("error"), 1},
		{"aborted attempts", m.attempts.WithLabelValues("aborted"), 0},
		{"unit's failures", m.failures.WithLabelValues("verify", "mismatch", "unit"), 1},
		{"rig's failures", m.failures.WithLabelValues("credentials", "unavailable", "rig"), 1},
		{"passed units", m.units.WithLabelValues("pass"), 1},
		{"failed units", m.units.WithLabelValues("fail"), 1},
		{"bytes", m.written, 1024},
		{"working slots", m.slots.WithLabelValues("working"), 2},
		{"empty slots", m.slots.WithLabelValues("empty"), 0},
		{"held", m.held, 1},
	} {
		if got := testutil.ToFloat64(c.got); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	m.setHeld(false)
	if got := testutil.ToFloat64(m.held); got != 0 {
		t.Errorf("held: %v after the line goes on", got)
	}
}

// Only a pass has a cycle time: a unit that fails at once would make the line
// look fast, and so would a rework that leaves the firmware alone.
func TestMetricsTime(t *testing.T) {
	m := newMetrics(prometheus.NewPedanticRegistry())
	start := time.Now()
	m.phaseEnded("write", 3*time.Second)
	m.attemptEnded(jobs.Attempt{Outcome: jobs.Pass, Start: start, End: start.Add(9 * time.Second)})
	m.attemptEnded(jobs.Attempt{Outcome: jobs.Fail, Start: start, End: start.Add(time.Second)})
	m.attemptEnded(jobs.Attempt{Outcome: jobs.Pass, Verdict: jobs.ReworkNVS, Start: start, End: start.Add(time.Second)})
	if got := testutil.ToFloat64(m.reworks.WithLabelValues("nvs", "pass")); got != 1 {
		t.Errorf("%v reworks", got)
	}
	m.credentialRequest("server", "ok", 250*time.Millisecond)
	for _, c := range []struct {
		name string
		got  prometheus.Observer
		want float64
	}{
		{"phase", m.phases.WithLabelValues("write"), 3},
		{"cycle", m.cycle, 9},
		{"credentials", m.waits.WithLabelValues("server"), 0.25},
	} {
		var out dto.Metric
		if err := c.got.(prometheus.Metric).Write(&out); err != nil {
			t.Fatal(err)
		}
		h := out.Histogram
		if h.GetSampleCount() != 1 || h.GetSampleSum() != c.want {
			t.Errorf("%s: %d samples, sum %v, want 1 and %v", c.name, h.GetSampleCount(), h.GetSampleSum(), c.want)
		}
		if len(h.Bucket) == 0 || len(h.PositiveSpan) == 0 {
			t.Errorf("%s: %d classic buckets, %d native spans, want both", c.name, len(h.Bucket), len(h.PositiveSpan))
		}
	}
}
