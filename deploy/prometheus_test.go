package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPrometheusRules(t *testing.T) {
	t.Parallel()
	promtool := need(t, "promtool", "prometheus")
	run(t, nil, promtool, "check", "config", "prometheus/prometheus.yml")
	run(t, nil, promtool, "check", "rules", "--lint=all", "--lint-fatal", "prometheus/rules.yml")
	run(t, nil, promtool, "test", "rules", "prometheus/rules_test.yml", "prometheus/shift_test.yml")
}

// A real Prometheus scrapes a running station, and everything that the rules
// and the dashboard ask for is there.
func TestPrometheusScrapesStation(t *testing.T) {
	t.Parallel()
	station := startStation(t)
	server := startPrometheus(t, station)

	t.Run("metrics", func(t *testing.T) {
		metrics := get(t, "http://"+station+"/metrics")
		if out := run(t, metrics, need(t, "promtool", "prometheus"), "check", "metrics"); out != "" {
			t.Error(out)
		}
		checkAllUsed(t, metrics)
	})
	t.Run("dashboard", func(t *testing.T) { checkDashboard(t, server) })
	t.Run("rules", func(t *testing.T) { checkRules(t, server) })
}

// checkAllUsed wants the dashboard or a rule to ask for each metric of flashd's own.
func checkAllUsed(t *testing.T, metrics []byte) {
	var asked []byte
	for _, file := range []string{"grafana/flashd.json", "prometheus/rules.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, text...)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (flashd_\w+) \w+$`).FindAllSubmatch(metrics, -1) {
		if !regexp.MustCompile(`\b` + string(m[1]) + `(_bucket|_sum|_count)?\b`).Match(asked) {
			t.Errorf("nobody asks for %s", m[1])
		}
	}
}

// checkRules wants every rule to be evaluated without error, every recorded
// value to be there, and every series that an alert looks at to exist. That the
// alerts fire when they should is rules_test.yml's part.
func checkRules(t *testing.T, p *prometheus) {
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Query, Health, LastError, Type string }
		}
	}
	p.get(t, "/api/v1/rules", nil, &rules)
	count := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			count++
			if r.Health != "ok" {
				t.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
			}
			if r.Type == "recording" {
				p.wantData(t, r.Name, r.Name)
			}
			p.wantSeries(t, r.Name, r.Query)
		}
	}
	if count == 0 {
		t.Error("no rules were loaded")
	}
}

// dashboard is what is asked of flashd.json.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// checkDashboard asks every query of the dashboard as Grafana would.
func checkDashboard(t *testing.T, p *prometheus) {
	text, err := os.ReadFile("grafana/flashd.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	grafana := strings.NewReplacer("$__rate_interval", "30s", "$__range", "1m", "$instance", ".*")
	for _, panel := range d.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("panel %s asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			expr := grafana.Replace(target.Expr)
			p.wantData(t, "panel "+panel.Title, expr)
			p.wantSeries(t, "panel "+panel.Title, expr)
		}
	}
	for _, a := range d.Annotations.List {
		p.wantSeries(t, "annotation "+a.Name, grafana.Replace(a.Expr))
	}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			p.wantSeries(t, "variable "+v.Name, v.Definition)
		}
	}
}

// prometheus is a running server.
type prometheus struct {
	base    string
	started time.Time
}

// startPrometheus runs the configuration that is deployed, but quickly and on
// the station under test.
func startPrometheus(t *testing.T, station string) *prometheus {
	t.Helper()
	bin := need(t, "prometheus", "prometheus")
	config, err := os.ReadFile("prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for was, is := range map[string]string{"127.0.0.1:9470": station, ": 15s": ": 500ms", "- rules.yml": "- " + rules} {
		if !bytes.Contains(config, []byte(was)) {
			t.Fatalf("prometheus.yml does not have %q, which this test changes", was)
		}
		config = bytes.ReplaceAll(config, []byte(was), []byte(is))
	}
	dir, listen := t.TempDir(), freeAddress(t)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=error", "--storage.tsdb.wal-compression")
	cmd.Stderr = os.Stderr
	start(t, cmd)
	return &prometheus{base: "http://" + listen, started: time.Now()}
}

// freeAddress is one that nobody listens on: Prometheus does not tell which port
// it got when it is asked to choose.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// result is the answer to an instant query whose value is a vector.
type result struct {
	Result []struct {
		Value [2]any // time, and the value as text
	}
}

// patience is how long a query may have no answer yet: rates need some units
// and some scrapes.
const patience = 30 * time.Second

// wantData wants a query to answer with a number, soon.
func (p *prometheus) wantData(t *testing.T, who, query string) {
	t.Helper()
	for {
		var r result
		err := p.ask("/api/v1/query", url.Values{"query": {query}}, &r)
		switch {
		case err == nil && r.hasNumber():
			return
		case time.Since(p.started) > patience:
			t.Errorf("%s: no data for %s, but %v %v", who, query, r.Result, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (r result) hasNumber() bool {
	for _, s := range r.Result {
		if s.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// selector finds the series that an expression names.
var selector = regexp.MustCompile(`\b((?:flashd|instance\w*:flashd|process|up\b)[\w:]*)(\{[^}]*\})?`)

// wantSeries wants every series that an expression names to exist.
func (p *prometheus) wantSeries(t *testing.T, who, expr string) {
	t.Helper()
	found := selector.FindAllString(expr, -1)
	if len(found) == 0 && !strings.Contains(expr, "vector(1)") {
		t.Errorf("%s asks for nothing of flashd: %s", who, expr)
	}
	for _, series := range found {
		var r result
		p.get(t, "/api/v1/query", url.Values{"query": {series}}, &r)
		if len(r.Result) == 0 {
			t.Errorf("%s: there is no %s", who, series)
		}
	}
}

func (p *prometheus) get(t *testing.T, path string, q url.Values, data any) {
	t.Helper()
	if err := p.ask(path, q, data); err != nil {
		t.Fatal(err)
	}
}

func (p *prometheus) ask(path string, q url.Values, data any) error {
	resp, err := http.Get(p.base + path + "?" + q.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %s: %w", path, resp.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s %s: %s", path, q.Get("query"), answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
