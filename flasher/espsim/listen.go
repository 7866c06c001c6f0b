package espsim

import (
	"context"
	"errors"
	"net"
)

// ServeSocket serves the clients of a TCP listener one after the other, each as
// Serve does, until ctx ends.
func (c *Chip) ServeSocket(ctx context.Context, l net.Listener) error {
	return c.eachClient(ctx, l, func(conn net.Conn) error { return c.Serve(ctx, conn) })
}

// eachClient accepts clients until ctx ends. That a client's unit was unplugged
// ends its connection only.
func (c *Chip) eachClient(ctx context.Context, l net.Listener, serve func(net.Conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept tells
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		c.cfg.Logf("client %v", conn.RemoteAddr())
		if err := serve(conn); err != nil && !errors.Is(err, ErrDetached) {
			return err
		}
		c.cfg.Logf("client %v left", conn.RemoteAddr())
	}
}
