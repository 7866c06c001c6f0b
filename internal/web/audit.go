package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// audited writes a line into the log for every request to change something,
// allowed or not: what was asked, by whom, from where, and what came of it. What
// comes too often was not looked at, and is not to fill the log either.
func audited(log *slog.Logger, change http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		line := &auditLine{ResponseWriter: w, status: http.StatusOK}
		change(line, r)
		if line.status == http.StatusTooManyRequests {
			return
		}
		level := slog.LevelInfo
		if line.status >= http.StatusBadRequest {
			level = slog.LevelWarn
		}
		args := append([]any{"method", r.Method, "path", r.URL.Path, "status", line.status, "from", from(r)}, line.what...)
		log.Log(r.Context(), level, "audit", args...)
	}
}

// auditLine keeps what is told of a change until it is done.
type auditLine struct {
	http.ResponseWriter
	status int
	what   []any
}

// WriteHeader implements http.ResponseWriter.
func (a *auditLine) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *auditLine) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// note adds keys and values to the audit line of the request that w answers.
func note(w http.ResponseWriter, args ...any) {
	if a, ok := w.(*auditLine); ok {
		a.what = append(a.what, args...)
	}
}

type peerKey struct{}

// withPeer keeps who is at the other end of the control socket.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if u, ok := c.(*net.UnixConn); ok {
		return context.WithValue(ctx, peerKey{}, peer(u))
	}
	return ctx
}

// peer names the user and the process, as the kernel does.
func peer(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return "somebody on the control socket"
	}
	var cred *unix.Ucred
	ctlErr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if ctlErr != nil || err != nil {
		return "somebody on the control socket"
	}
	uid := strconv.FormatUint(uint64(cred.Uid), 10)
	if u, err := user.LookupId(uid); err == nil {
		return fmt.Sprintf("user %s, process %d", u.Username, cred.Pid)
	}
	return fmt.Sprintf("user %s, process %d", uid, cred.Pid)
}

// from is where a request comes from.
func from(r *http.Request) string {
	if p, ok := r.Context().Value(peerKey{}).(string); ok {
		return p
	}
	return r.RemoteAddr
}
