package espsim

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Serve connects the chip to a client that has bytes but neither lines nor a
// baud rate: a socket. The chip is powered up with its boot pin held, so that
// the client finds the ROM loader, and the pin is then let go: a system reset
// (by watchdog, say) brings up the application, and the next Serve download
// mode again. Serve closes rw and returns nil when the client goes away or ctx ends, and
// ErrDetached when the unit is unplugged.
func (c *Chip) Serve(ctx context.Context, rw io.ReadWriteCloser) error {
	defer rw.Close()
	if err := c.powerUpHeld(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	p, err := c.open(portKind{rateless: true, lineless: true})
	if err != nil {
		return err
	}
	return c.relay(ctx, p, rw, p)
}

// powerUpHeld switches the chip off and on with its boot pin held low, and
// waits until it is up or ctx ends.
func (c *Chip) powerUpHeld(ctx context.Context) error {
	c.mu.Lock()
	c.reset.held = true
	c.reset.cause = powerOn
	c.setState(Off)
	c.interrupt()
	c.mu.Unlock()
	// A faulty unit may end up elsewhere than in download mode.
	if !c.await(ctx.Done(), Download, App, BootLoop) && ctx.Err() == nil {
		return ErrDetached
	}
	return nil
}

// relay copies both ways until either side ends. up takes what the client sends.
// It closes the client when the port ends, which is the only thing that wakes a
// copy that is stuck in writing to a client that does not read.
func (c *Chip) relay(ctx context.Context, p *Port, client io.ReadWriteCloser, up io.Writer) error {
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	var ends sync.WaitGroup
	ends.Go(func() {
		<-p.gone
		_ = client.Close()
	})
	ends.Go(func() {
		_, _ = io.Copy(client, p)
		_ = client.Close()
	})
	_, _ = io.Copy(up, client)
	_ = p.Close()
	ends.Wait()
	if errors.Is(p.err, ErrDetached) {
		return p.err
	}
	return nil
}
