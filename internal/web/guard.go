package web

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// secure keeps browsers from letting other sites in, and from guessing types.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// onlyMethods refuses other methods than these.
func onlyMethods(next http.Handler, methods ...string) http.Handler {
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", allow)
			fail(w, http.StatusMethodNotAllowed, r.Method+" is not for "+r.URL.Path, "Use "+allow+".")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onlyOwnPages refuses what a page of another site asks for, as the browser says
// (Sec-Fetch-Site or Origin): a change, but also what the page could not read,
// since it could hold up all the places for event streams. It may have a link.
func onlyOwnPages(next http.Handler) http.Handler {
	foreign := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "the request comes from a page of another site", "Use the station's own board.")
	})
	changes := http.NewCrossOriginProtection()
	changes.SetDenyHandler(foreign)
	next = changes.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		if site == "" || site == "none" || site == "same-origin" || r.Header.Get("Sec-Fetch-Dest") == "document" {
			next.ServeHTTP(w, r)
			return
		}
		foreign(w, r)
	})
}

// onlyHosts refuses requests for a name that is not the station's. Otherwise a
// web page somewhere could have its own name resolve to this machine and read
// the board with the operator's browser (DNS rebinding).
func onlyHosts(cfg Config, next http.Handler) http.Handler {
	ours := cfg.hostCheck()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ours(hostOf(r.Host)) {
			fail(w, http.StatusMisdirectedRequest, "this station does not go by the name "+hostOf(r.Host),
				"Use its IP address, a name in its certificate, or the host name that it listens on; api.names of flashd.yaml adds others.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostCheck tells which hosts a request may name.
func (c Config) hostCheck() func(host string) bool {
	own := hostOf(c.Listen)
	addr, err := netip.ParseAddr(own)
	wildcard := own == "" || err == nil && addr.IsUnspecified()
	machine := "" // none: its name is for wildcard listeners
	if name, err := os.Hostname(); err == nil && wildcard {
		machine = strings.ToLower(name)
	}
	return func(host string) bool {
		switch {
		case host == "":
			return false
		case host == "localhost", host == own, host == machine, host == machine+".local", slices.Contains(c.Names, host):
			return true
		case c.Certificate != nil && c.Certificate.Leaf().VerifyHostname(host) == nil:
			return true
		}
		// No name, so nothing that could resolve to somewhere else.
		addr, err := netip.ParseAddr(host)
		return err == nil && (wildcard || addr.IsLoopback())
	}
}

// hostOf is the host in host:port, lower-case, without the brackets of IPv6
// and the dot at the end of a full domain name.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// writeWait is how long a client may take to accept what was written so far.
const writeWait = 15 * time.Second

// patient lets an answer take as long as it needs, as long as the client goes
// on reading. A limit for the whole answer would end every event stream.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pw := patientWriter{w}
		pw.extend()
		next.ServeHTTP(pw, r)
	})
}

type patientWriter struct{ http.ResponseWriter }

func (w patientWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

func (w patientWriter) extend() {
	// Not supported by a recorder in a test, and by nothing else.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeWait))
}

// Unwrap is for http.ResponseController.
func (w patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
