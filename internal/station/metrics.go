package station

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"hoptech.co.nz/flashd/jobs"
)

// metrics is what a monitoring system sees of the station. Label values come
// from closed lists only: a unit is never one, and a slot only if the
// configuration names it. What can be counted is there from the start, at zero,
// since a rate cannot see a first step from nothing to one.
type metrics struct {
	units       *prometheus.CounterVec
	attempts    *prometheus.CounterVec
	bySlot      *prometheus.CounterVec
	fixture     map[string]bool // names of the configured slots
	reworks     *prometheus.CounterVec
	failures    *prometheus.CounterVec
	phases      *prometheus.HistogramVec
	hubWait     prometheus.Histogram
	cycle       prometheus.Histogram
	written     prometheus.Counter
	slots       *prometheus.GaugeVec
	credentials *prometheus.CounterVec
	waits       *prometheus.HistogramVec
	retries     *prometheus.CounterVec
	build       *prometheus.GaugeVec
	held        prometheus.Gauge
	stopped     prometheus.Gauge
}

// seconds are bucket bounds from an answer on the line to a slow flash erase.
var seconds = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160}

func newMetrics(reg prometheus.Registerer) *metrics {
	with := maker{promauto.With(reg)}
	m := &metrics{
		units:    with.counters("flashd_units_total", "Units that were judged, by outcome: pass or fail.", "outcome"),
		attempts: with.counters("flashd_attempts_total", "Attempts that have ended, by outcome.", "outcome"),
		bySlot: with.counters("flashd_slot_attempts_total",
			"Attempts that have ended, by configured slot and outcome. A fixture without configured slots has none.", "slot", "outcome"),
		fixture: map[string]bool{},
		reworks: with.counters("flashd_reworks_total",
			"Attempts to rework a unit that have ended, by what they write (nvs or all) and outcome.", "writes", "outcome"),
		failures: with.counters("flashd_failures_total",
			"Attempts that did not pass, by the phase they ended in, the kind of failure, and who is to blame: unit or rig.", "phase", "kind", "blame"),
		phases: with.NewHistogramVec(times("flashd_phase_duration_seconds",
			"Time that a phase took, whether it went well or not."), []string{"phase"}),
		hubWait: with.NewHistogram(times("flashd_hub_wait_seconds",
			"Time that a unit waited for its turn to be written, where usb.max_per_hub has units take turns.")),
		cycle: with.NewHistogram(times("flashd_cycle_seconds",
			"Time from the arrival of a unit to its pass, reworks of the NVS partition alone left out.")),
		written: with.NewCounter(prometheus.CounterOpts{
			Name: "flashd_flash_written_bytes_total", Help: "Bytes of flash written to units, before compression.",
		}),
		slots: with.gauges("flashd_slots", "Slots of the fixture, by state.", "state"),
		credentials: with.counters("flashd_credential_requests_total",
			"Requests for a unit's credentials, by source and result.", "source", "result"),
		waits: with.NewHistogramVec(times("flashd_credential_request_duration_seconds",
			"Time until a request for credentials was answered, its retries included."), []string{"source"}),
		retries: with.counters("flashd_credential_retries_total",
			"Times that the source of credentials was not available and had to be asked again.", "source"),
		build: with.gauges("flashd_build_info", "Always 1; the labels say which flashd writes which release.", "version", "goversion", "release"),
		held:  with.gauge("flashd_line_held", "1 while the line waits for something or has stopped, else 0."),
		stopped: with.gauge("flashd_line_stopped",
			"1 while no unit is begun: until flashd is started again or, if the record cannot be written or the USB cannot be used, until it can."),
	}
	m.startAtZero()
	return m
}

// maker makes metrics and registers them.
type maker struct{ promauto.Factory }

func (m maker) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return m.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func (m maker) gauge(name, help string) prometheus.Gauge {
	return m.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func (m maker) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return m.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

// times are of a histogram of seconds. It has classic buckets for dashboards, and
// is a native histogram for servers that take one.
func times(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: seconds,
		NativeHistogramBucketFactor:     1.1, // bounds the error of a quantile to 5 %
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// SlotStates is the list of all states of a slot.
var SlotStates = []SlotState{Empty, Working, Passed, Failed, Errored, Refused}

func (m *metrics) startAtZero() {
	for _, o := range jobs.Outcomes {
		m.attempts.WithLabelValues(string(o))
		for _, writes := range []Reworking{ReworkNVS, ReworkAll} {
			m.reworks.WithLabelValues(string(writes), string(o))
		}
	}
	for _, o := range []jobs.Outcome{jobs.Pass, jobs.Fail} {
		m.units.WithLabelValues(string(o))
	}
	for _, s := range SlotStates {
		m.slots.WithLabelValues(string(s))
	}
	for _, p := range Phases() {
		m.phases.WithLabelValues(p)
		m.failures.WithLabelValues(p, kindStopped, string(jobs.BlameRig))
		for _, r := range rules {
			if r.phase == "" || r.phase == p {
				m.failures.WithLabelValues(p, r.kind, string(r.blame))
			}
		}
	}
}

// setSource makes the counts of the source of credentials start at zero.
func (m *metrics) setSource(source string) {
	for _, result := range credentialResults {
		m.credentials.WithLabelValues(source, result)
	}
	m.waits.WithLabelValues(source)
	m.retries.WithLabelValues(source)
}

// setFixture makes the counts of the configured slots start at zero. No other
// slot is counted by itself: paths that happen to be used are no closed list.
func (m *metrics) setFixture(slots []Slot) {
	for _, s := range slots {
		m.fixture[s.Name] = true
		for _, o := range jobs.Outcomes {
			m.bySlot.WithLabelValues(s.Name, string(o))
		}
	}
}

// credentialResults is the list of what credentialResult returns.
var credentialResults = []string{"ok", "unauthorized", "unknown_unit", "bad_answer", "cancelled", "unavailable"}

// setBuild says which flashd writes which release.
func (m *metrics) setBuild(version, release string) {
	m.build.WithLabelValues(version, runtime.Version(), release).Set(1)
}

// attemptEnded counts an attempt, its verdict on the unit, and its failure.
func (m *metrics) attemptEnded(a jobs.Attempt) {
	m.attempts.WithLabelValues(string(a.Outcome)).Inc()
	if m.fixture[a.Slot] {
		m.bySlot.WithLabelValues(a.Slot, string(a.Outcome)).Inc()
	}
	if writes := a.Verdict.Rewrites(); writes != "" {
		m.reworks.WithLabelValues(writes, string(a.Outcome)).Inc()
	}
	switch a.Outcome {
	case jobs.Pass:
		m.units.WithLabelValues(string(a.Outcome)).Inc()
		if a.Verdict != jobs.ReworkNVS {
			m.cycle.Observe(a.End.Sub(a.Start).Seconds())
		}
	case jobs.Fail:
		m.units.WithLabelValues(string(a.Outcome)).Inc()
	}
	if f := a.Failure; f != nil {
		m.failures.WithLabelValues(f.Phase, f.Kind, string(f.Blame)).Inc()
	}
}

// phaseEnded takes the time of one phase.
func (m *metrics) phaseEnded(phase string, took time.Duration) {
	m.phases.WithLabelValues(phase).Observe(took.Seconds())
}

// wrote counts bytes of flash written to a unit.
func (m *metrics) wrote(bytes int) { m.written.Add(float64(bytes)) }

// credentialRequest counts a request for credentials and takes its time.
func (m *metrics) credentialRequest(source, result string, took time.Duration) {
	m.credentials.WithLabelValues(source, result).Inc()
	m.waits.WithLabelValues(source).Observe(took.Seconds())
}

// credentialRetry counts that the source of credentials is asked again.
func (m *metrics) credentialRetry(source string) { m.retries.WithLabelValues(source).Inc() }

// setSlots says how many slots are in each state. States not named have none.
func (m *metrics) setSlots(count map[SlotState]int) {
	for _, s := range SlotStates {
		m.slots.WithLabelValues(string(s)).Set(float64(count[s]))
	}
}

// setHeld says whether the line waits or has stopped.
func (m *metrics) setHeld(held bool) { m.held.Set(oneIf(held)) }

// setStopped says whether no unit is begun.
func (m *metrics) setStopped(stopped bool) { m.stopped.Set(oneIf(stopped)) }

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
