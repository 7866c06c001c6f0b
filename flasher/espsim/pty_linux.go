package espsim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// PTY is a pseudo terminal that a simulated chip hangs on. It has a baud rate,
// read from what the client sets, but no modem lines: Linux gives
// pseudo terminals none.
type PTY struct {
	master *os.File
	name   string
}

// OpenPTY makes a pseudo terminal for ServePTY.
func OpenPTY() (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("pseudo terminal: %w", err)
	}
	defer slave.Close()
	p := &PTY{master: master, name: slave.Name()}
	if err := raw(slave); err != nil {
		return nil, errors.Join(fmt.Errorf("pseudo terminal: %w", err), master.Close())
	}
	return p, nil
}

// Name returns the path that clients open, such as /dev/pts/3.
func (p *PTY) Name() string { return p.name }

// Close removes the pseudo terminal.
func (p *PTY) Close() error { return p.master.Close() }

// raw turns echo and line editing off, for clients that leave them on.
func raw(tty *os.File) error {
	return control(tty, func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
		return unix.IoctlSetTermios(fd, unix.TCSETS, t)
	})
}

// control runs an ioctl without taking the file off the poller, as Fd would.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// baud returns the rate that the client has set.
func (p *PTY) baud() int {
	rate := 0
	_ = control(p.master, func(fd int) error { // a terminal that is gone shows in Read
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
		if err == nil {
			rate = int(t.Ospeed)
		}
		return err
	})
	return rate
}

// reopenPoll is how often a pseudo terminal without a client is looked at.
const reopenPoll = 10 * time.Millisecond

// ServePTY connects the chip to the clients of a pseudo terminal, one after the
// other, until ctx ends. Like Serve it gives each the ROM loader: when a client
// closes the terminal the chip is switched off and on with its boot pin held.
// Bytes at a rate that is not the chip's are garbled.
func (c *Chip) ServePTY(ctx context.Context, terminal *PTY) error {
	stop := context.AfterFunc(ctx, func() { _ = terminal.Close() }) // reading it tells
	defer stop()
	for {
		if err := c.powerUpHeld(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		if err := terminal.master.SetDeadline(time.Time{}); err != nil { // ptyClient.Close set one
			return endOf(ctx, err)
		}
		first, err := terminal.awaitClient(ctx)
		if err != nil {
			return endOf(ctx, err)
		}
		p, err := c.open(portKind{lineless: true})
		if err != nil {
			return err
		}
		if err := c.relay(ctx, p, &ptyClient{terminal, p, first}, p); err != nil && !errors.Is(err, ErrDetached) {
			return err
		}
	}
}

// endOf is err, unless it comes from the end of ctx, which is no error.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// awaitClient waits for the first bytes of a client.
func (p *PTY) awaitClient(ctx context.Context) ([]byte, error) {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		switch {
		case n > 0:
			return buf[:n], nil
		case errors.Is(err, syscall.EIO): // nobody has it open
			select {
			case <-time.After(reopenPoll):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case err != nil:
			return nil, err
		}
	}
}

// ptyClient is one client of a pseudo terminal. Its end is the error that
// reading gives once it has closed the terminal.
type ptyClient struct {
	terminal *PTY
	port     *Port
	first    []byte // what awaitClient has read
}

func (c *ptyClient) Read(b []byte) (n int, err error) {
	if len(c.first) > 0 {
		n = copy(b, c.first)
		c.first = c.first[n:]
	} else if n, err = c.terminal.master.Read(b); err != nil {
		return n, err
	}
	if rate := c.terminal.baud(); rate > 0 {
		err = c.port.SetBaud(rate)
	}
	return n, err
}

func (c *ptyClient) Write(b []byte) (int, error) { return c.terminal.master.Write(b) }

// Close lets go of the client; the terminal stays for the next.
func (c *ptyClient) Close() error { return c.terminal.master.SetDeadline(time.Now()) }
