package web

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

// clientOf is who is at the other end of a connection, as limits count it: an
// IPv4 address, or the /64 of an IPv6 address, all of which one machine may have.
// All that come over the control socket are one.
func clientOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	client, _ := addr.Prefix(bits) // fails for no address only
	return client
}

// maxClients is how many clients a pace remembers.
const maxClients = 1024

// A pace limits how often each client may do something.
type pace struct {
	limit rate.Limit // a second
	burst int

	mu      sync.Mutex
	clients map[netip.Prefix]*rate.Limiter
}

func newPace(perSecond rate.Limit, burst int) *pace {
	return &pace{limit: perSecond, burst: burst, clients: map[netip.Prefix]*rate.Limiter{}}
}

// of is the limiter of the client that sent a request.
func (p *pace) of(r *http.Request) *rate.Limiter {
	client := clientOf(r.RemoteAddr)
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.clients[client]
	if l == nil {
		if len(p.clients) == maxClients {
			p.forget()
		}
		l = rate.NewLimiter(p.limit, p.burst)
		p.clients[client] = l
	}
	return l
}

// forget drops the client that has the most left: as a rule all, so that it is
// the same when it comes again.
func (p *pace) forget() {
	var fullest netip.Prefix
	most := -1.0
	for client, l := range p.clients {
		if left := l.Tokens(); left > most {
			fullest, most = client, left
		}
	}
	delete(p.clients, fullest)
}

const (
	// readsPerSecond keeps a client gone wild from taking the processor from
	// the line: a page of a list takes ten milliseconds. A board asks a few times
	// a minute, and a burst when it loads.
	readsPerSecond = 30
	readsAtOnce    = 200
	// scrapesPerSecond is more than Prometheus and people ask for: to gather all
	// metrics of many slots takes some milliseconds.
	scrapesPerSecond = 5
	scrapesAtOnce    = 20
)

// paced limits how often the API and the metrics are asked. Pages and health cost
// little, and must answer most of all when something else goes wrong.
func paced(next http.Handler) http.Handler {
	reads, scrapes := newPace(readsPerSecond, readsAtOnce), newPace(scrapesPerSecond, scrapesAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api := strings.HasPrefix(r.URL.Path, "/api/")
		if api && !reads.of(r).Allow() || r.URL.Path == "/metrics" && !scrapes.of(r).Allow() {
			tooMany(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1") // seconds
	fail(w, http.StatusTooManyRequests, "the station is asked too often", "Wait a second.")
}
