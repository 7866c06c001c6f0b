package web

import (
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

const (
	// readsPerSecond keeps a client gone wild from taking the processor from
	// the line. A board asks a few times a minute, and a burst when it loads.
	readsPerSecond = 100
	readsAtOnce    = 400
)

// paced limits how often the API is asked. Pages, metrics and health cost
// little, and must answer most of all when something else goes wrong.
func paced(next http.Handler) http.Handler {
	pace := rate.NewLimiter(readsPerSecond, readsAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") && !pace.Allow() {
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
