package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

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

	// Archive moves attempts that were started before a moment out of the store.
	// Only NewControl needs it.
	Archive func(ctx context.Context, before time.Time) ([]jobs.Archive, error)

	// Listen is the address of the TCP listener. Requests must name its host,
	// or a loopback name, in their Host header; on a wildcard address they may
	// name any IP address, or this machine.
	Listen string
	// Names are host names and IP addresses, lower-case, that they may name as well.
	Names []string
	// Certificate is what the listener shows, which tells more such names; nil: none.
	Certificate *Certificate
	// Token is what changes over TCP have to bring; "": they are refused.
	Token credentials.Secret
	// Log gets a line for every request to change something.
	Log *slog.Logger
}

// NewHandler returns the handler for TCP: everybody may look, and whoever has
// the token may change.
func NewHandler(cfg Config) http.Handler {
	s := newServer(cfg)
	s.may = WithToken
	if cfg.Token == "" {
		s.may = NoChanges
	}
	return patient(secure(onlyHosts(cfg, onlyOwnPages(paced(s.routes(withToken(cfg.Token)))))))
}

// NewControl returns the handler for the unix socket: the same, changes, and what
// looks after the record.
func NewControl(cfg Config) http.Handler {
	s := newServer(cfg)
	s.may = AllChanges
	mux := s.routes(open)
	for path, h := range s.keeping() {
		mux.Handle(path, h)
	}
	return patient(secure(mux))
}

type server struct {
	Config
	may      Changes
	watchers *crowd // event streams
	readers  *crowd // of lists
	recent   *recent
}

func newServer(cfg Config) *server {
	return &server{
		Config: cfg, watchers: newCrowd(watchersEach, maxWatchers), readers: newCrowd(readersEach, maxReaders),
		recent: &recent{store: cfg.Store},
	}
}

// routes lets requests that change something pass through g.
func (s *server) routes(g gate) *http.ServeMux {
	mux := http.NewServeMux()
	get := func(path string, h http.Handler) { mux.Handle(path, onlyMethods(h, http.MethodGet, http.MethodHead)) }
	for path, a := range assets {
		get(path, a)
	}
	for path, read := range s.reads() {
		get(path, askedOnce(read))
	}
	for path, change := range s.changes() {
		mux.Handle(path, onlyMethods(audited(s.Log, g(change)), http.MethodPost))
	}
	get("/metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	get("/healthz", http.HandlerFunc(healthy))
	get("/readyz", http.HandlerFunc(s.ready))
	mux.HandleFunc("/", noSuchPage)
	return mux
}

// reads are the parts of the API that everybody may ask. openapi.yaml
// describes them.
func (s *server) reads() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/api/v1/openapi.yaml": describe,
		"/api/v1/status":       s.status,
		"/api/v1/slots":        s.slots,
		"/api/v1/events":       s.watchers.admit(s.events),
		"/api/v1/history":      s.history,
		"/api/v1/releases":     s.releases,
		"/api/v1/units":        s.readers.admit(s.units),
		"/api/v1/units.csv":    s.readers.admit(s.unitsCSV),
		"/api/v1/units/{id}":   s.unit,
		"/api/v1/attempts":     s.readers.admit(s.attempts),
		"/api/v1/attempts.csv": s.readers.admit(s.attemptsCSV),
		"/api/v1/reworks":      s.readers.admit(s.reworks),
	}
}

// changes are the parts that change something.
func (s *server) changes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/api/v1/rework":              s.rework,
		"/api/v1/reworks/{id}/cancel": s.cancelRework,
	}
}

// askedOnce refuses queries of which a part would be passed over: one that is
// not well formed, or a field with two values. That part may be the filter.
func askedOnce(read http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			fail(w, http.StatusBadRequest, "the query cannot be read: "+err.Error(), "")
			return
		}
		for name, values := range q {
			if len(values) > 1 {
				fail(w, http.StatusBadRequest, fmt.Sprintf("the query has %.40q more than once", name), "")
				return
			}
		}
		read(w, r)
	}
}

func noSuchPage(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotFound, "there is nothing at "+r.URL.Path, "The board is at /, the API under /api/v1/; /api/v1/openapi.yaml describes it.")
}

func healthy(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.Source.Ready(); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error(), "")
		return
	}
	plain(w, http.StatusOK, "ready")
}
