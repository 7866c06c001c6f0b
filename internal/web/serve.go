package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxConns is how many connections there can be, and connsEach how many of them
// one client can have: more are closed at once. A browser has up to six.
const (
	maxConns  = 512
	connsEach = 64
)

// Serve answers requests on l with h until ctx ends, then lets those under way
// finish within a few seconds. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second, // of bodies, which are small; writing is the handler's business
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		// Answers to OPTIONS * would go past the handler.
		DisableGeneralOptionsHandler: true,
		ConnContext:                  withPeer,
		ConnState:                    connLimit(),
		BaseContext:                  func(net.Listener) context.Context { return ctx }, // ends the event streams
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		stopped <- errors.Join(srv.Shutdown(limit), srv.Close())
	})
	err := srv.Serve(l)
	if stop() { // ctx has not ended: the listener broke
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving %s: %w", l.Addr(), err)
	}
	return nil
}

// connLimit counts connections. It is told of them by the server and not by a
// listener of its own, since the server must see that one is TLS.
func connLimit() func(net.Conn, http.ConnState) {
	conns := newCrowd(connsEach, maxConns)
	var refused sync.Map // by net.Conn
	return func(c net.Conn, state http.ConnState) {
		client := clientOf(c.RemoteAddr().String())
		switch state {
		case http.StateNew:
			if !conns.enter(client) {
				refused.Store(c, true)
				_ = c.Close() // the server finds it closed, and drops it
			}
		case http.StateClosed, http.StateHijacked:
			if _, was := refused.LoadAndDelete(c); !was {
				conns.leave(client)
			}
		}
	}
}
