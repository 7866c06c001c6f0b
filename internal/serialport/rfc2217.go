package serialport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	// answerLimit is how long a server may take to answer; the timeout=
	// option of the URL changes it. Three seconds are pyserial's default.
	answerLimit = 3 * time.Second

	// linesLimit is how long it may take for DTR and RTS at most: package flasher
	// takes a port for gone whose lines are not set within two seconds.
	linesLimit = time.Second
)

// rfc2217 is a serial port shared by a server such as ser2net,
// esp_rfc2217_server or a terminal server.
type rfc2217 struct {
	socket
	limit   time.Duration // for an answer
	patient bool          // wait for answers to comControl
	polite  bool          // the server has answered comControl

	request sync.Mutex      // held from a request to its answer
	answers chan answer     // from receive
	agreed  chan bool       // the server accepts or refuses the option, once or more
	gone    context.Context // done when receive has ended
	wg      sync.WaitGroup  // of receive

	mu     sync.Mutex
	more   sync.Cond // unread or err has changed
	unread []byte
	err    error // why there will be no more
}

func openRFC2217(ctx context.Context, u *url.URL) (*rfc2217, error) {
	p := &rfc2217{limit: answerLimit, patient: true, answers: make(chan answer, 16), agreed: make(chan bool, 4)}
	if err := p.options(u); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, u)
	if err != nil {
		return nil, err
	}
	p.socket = socket{target: u.String(), conn: conn}
	p.more.L = &p.mu
	var ended context.CancelFunc
	p.gone, ended = context.WithCancel(context.Background())
	p.wg.Go(func() {
		defer ended()
		p.receive()
	})
	// Whatever the server does not answer, and however long it is waited for.
	heed := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(0, 0)) })
	err = p.start(ctx)
	if !heed() {
		err = fmt.Errorf("open %s: %w", p.target, context.Cause(ctx))
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// options reads the options that pyserial's URLs have and that make sense here.
func (p *rfc2217) options(u *url.URL) error {
	for name, values := range u.Query() {
		switch name {
		case "ign_set_control": // for servers that do not answer comControl: saves finding out
			p.patient = false
		case "timeout":
			seconds, err := strconv.ParseFloat(values[0], 64)
			if err != nil || seconds <= 0 || seconds > 3600 {
				return fmt.Errorf("port %q: timeout must be a number of seconds", u)
			}
			p.limit = time.Duration(seconds * float64(time.Second))
		default:
			return fmt.Errorf("port %q: unknown option %q, use ign_set_control or timeout=SECONDS", u, name)
		}
	}
	return nil
}

// start agrees on the option and sets the port to 115200 baud, 8N1.
func (p *rfc2217) start(ctx context.Context) error {
	var hello []byte
	for _, option := range []byte{optBinary, optSGA, optComPort} {
		hello = append(hello, tnIAC, tnWill, option, tnIAC, tnDo, option)
	}
	if err := p.send(hello); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	select {
	case yes := <-p.agreed:
		if !yes {
			return fmt.Errorf("open %s: the server refuses RFC 2217; use socket:// for its bytes alone", p.target)
		}
	case <-ctx.Done():
		return fmt.Errorf("open %s: the server does not speak RFC 2217: %w", p.target, ctx.Err())
	case <-p.gone.Done():
		return p.ending()
	}
	settings := subnegotiation(nil, comDataSize, 8)
	settings = subnegotiation(settings, comParity, 1) // none
	settings = subnegotiation(settings, comStopSize, 1)
	settings = subnegotiation(settings, comControl, noFlowControl)
	if err := p.send(settings); err != nil {
		return err
	}
	return p.SetBaud(startBaud)
}

// Read implements flasher.Port.
func (p *rfc2217) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.unread) == 0 && p.err == nil {
		p.more.Wait()
	}
	n := copy(b, p.unread)
	p.unread = p.unread[n:]
	if n == 0 {
		return 0, netError(p.target, "read", p.err)
	}
	return n, nil
}

// Write implements flasher.Port.
func (p *rfc2217) Write(b []byte) (int, error) {
	if err := p.send(telnetEscape(make([]byte, 0, len(b)+len(b)/64), b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *rfc2217) send(raw []byte) error {
	_, err := p.conn.Write(raw)
	return netError(p.target, "write", err)
}

// SetBaud implements flasher.Port.
func (p *rfc2217) SetBaud(baud int) error {
	if baud <= 0 || int64(baud) > 1<<32-1 {
		return fmt.Errorf("%s: %d baud is not a rate", p.target, baud)
	}
	p.request.Lock()
	defer p.request.Unlock()
	value := binary.BigEndian.AppendUint32(nil, uint32(baud))
	if err := p.send(subnegotiation(nil, comBaud, value...)); err != nil {
		return err
	}
	got, err := p.await(p.limit, func(a answer) bool { return a.command == comBaud })
	if err != nil {
		return fmt.Errorf("set the baud rate: %w", err)
	}
	if diff := max(int64(got.value)-int64(baud), int64(baud)-int64(got.value)); 100*diff > 3*int64(baud) {
		return fmt.Errorf("%s: the server makes %d baud when asked for %d", p.target, got.value, baud)
	}
	return nil
}

// SetLines implements flasher.Port. RFC 2217 has no request for both lines, so
// both go in one segment, the line to assert first: both asserted at once does
// nothing on the usual circuit, and USB-Serial/JTAG wants to pass through it. A
// server that answers all else but never this is esp_rfc2217_server, which
// carries it out without a word: it is not waited for again.
func (p *rfc2217) SetLines(dtr, rts bool) error {
	d, r := byte(dtrOff), byte(rtsOff)
	if dtr {
		d = dtrOn
	}
	if rts {
		r = rtsOn
	}
	first, second := d, r
	if rts && !dtr {
		first, second = r, d
	}
	p.request.Lock()
	defer p.request.Unlock()
	err := p.send(subnegotiation(subnegotiation(nil, comControl, first), comControl, second))
	if err != nil || !p.patient {
		return err
	}
	for _, value := range []byte{first, second} {
		want := answer{comControl, uint32(value)}
		_, err := p.await(min(p.limit, linesLimit), func(a answer) bool { return a == want })
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !p.polite:
			p.patient = false
			return nil
		case err != nil:
			return fmt.Errorf("set DTR and RTS: %w", err)
		}
		p.polite = true
	}
	return nil
}

// await returns the first answer that fits and drops those before it.
func (p *rfc2217) await(limit time.Duration, fits func(answer) bool) (answer, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case a := <-p.answers:
			if fits(a) {
				return a, nil
			}
		case <-p.gone.Done():
			return answer{}, p.ending()
		case <-timer.C:
			return answer{}, fmt.Errorf("%s: no answer from the server within %v: %w", p.target, limit, os.ErrDeadlineExceeded)
		}
	}
}

// ending returns why the connection ended.
func (p *rfc2217) ending() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return netError(p.target, "read", p.err)
}

// Close implements flasher.Port.
func (p *rfc2217) Close() error {
	err := p.socket.Close()
	p.wg.Wait()
	return err
}
