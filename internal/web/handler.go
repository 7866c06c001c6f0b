package web

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// Source is the station that is shown.
type Source interface {
	// View returns what people see now.
	View() station.View
	// Watch sends a View at once and then whenever something has changed,
	// until ctx ends. A slow reader gets fewer, never older ones.
	Watch(ctx context.Context) <-chan station.View
	// Ready returns nil while the station accepts units, else why it does not.
	Ready() error
	// AllowRework records that a unit may be provisioned again.
	AllowRework(ctx context.Context, r jobs.Rework) (jobs.Rework, error)
	// CancelRework disarms a rework.
	CancelRework(ctx context.Context, id uint64, by, reason string) (jobs.Rework, error)
}

// Config is what the handlers need. Every field is required but those that say otherwise.
type Config struct {
	Source  Source
	Store   *jobs.Store
	Metrics prometheus.Gatherer

	// Releases lists the releases there are; nil: none are shown.
	Releases func() ([]firmware.Summary, error)

	// Listen is the address of the TCP listener. Requests must name its host,
	// or a loopback name, in their Host header; on a wildcard address they may
	// name any IP address, or this machine.
	Listen string
	// Token is what changes over TCP have to bring; "": they are refused.
	Token credentials.Secret
	// Log gets a line for every request to change something.
	Log *slog.Logger
}

// NewHandler returns the handler for TCP: everybody may look, and whoever has
// the token may change.
func NewHandler(cfg Config) http.Handler {
	s := newServer(cfg)
	return patient(secure(onlyHosts(cfg.Listen, onlyOwnPages(paced(s.routes(withToken(cfg.Token)))))))
}

// NewControl returns the handler for the unix socket: the same, and changes.
func NewControl(cfg Config) http.Handler {
	s := newServer(cfg)
	return patient(secure(s.routes(open)))
}

type server struct {
	Config
	watchers chan struct{} // holds one for each event stream
	recent   *recent
}

func newServer(cfg Config) *server {
	return &server{Config: cfg, watchers: make(chan struct{}, maxWatchers), recent: &recent{store: cfg.Store}}
}

// routes lets requests that change something pass through g.
func (s *server) routes(g gate) http.Handler {
	mux := http.NewServeMux()
	get := func(path string, h http.Handler) { mux.Handle(path, onlyMethods(h, http.MethodGet, http.MethodHead)) }
	for path, a := range assets {
		get(path, a)
	}
	get("/api/v1/status", http.HandlerFunc(s.status))
	get("/api/v1/slots", http.HandlerFunc(s.slots))
	get("/api/v1/events", http.HandlerFunc(s.events))
	get("/api/v1/history", http.HandlerFunc(s.history))
	get("/api/v1/releases", http.HandlerFunc(s.releases))
	get("/api/v1/units", http.HandlerFunc(s.units))
	get("/api/v1/units/{id}", http.HandlerFunc(s.unit))
	get("/api/v1/attempts", http.HandlerFunc(s.attempts))
	get("/api/v1/attempts.csv", http.HandlerFunc(s.attemptsCSV))
	get("/api/v1/units.csv", http.HandlerFunc(s.unitsCSV))
	get("/metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	get("/healthz", http.HandlerFunc(healthy))
	get("/readyz", http.HandlerFunc(s.ready))
	get("/api/v1/reworks", http.HandlerFunc(s.reworks))
	change := func(path string, h http.HandlerFunc) {
		mux.Handle(path, onlyMethods(audited(s.Log, g(h)), http.MethodPost))
	}
	change("/api/v1/rework", s.rework)
	change("/api/v1/reworks/{id}/cancel", s.cancelRework)
	mux.HandleFunc("/", noSuchPage)
	return mux
}

func noSuchPage(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotFound, "there is nothing at "+r.URL.Path, "The board is at /, the API under /api/v1/.")
}

func healthy(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.Source.Ready(); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error(), "")
		return
	}
	plain(w, http.StatusOK, "ready")
}
