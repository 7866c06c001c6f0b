package espsim

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// ServeRFC2217 serves the clients of a TCP listener one after the other with
// the serial port as RFC 2217 has it: DTR and RTS drive the chip's pins, and the
// baud rate counts. It ends with ctx.
func (c *Chip) ServeRFC2217(ctx context.Context, l net.Listener) error {
	return c.eachClient(ctx, l, func(conn net.Conn) error {
		defer conn.Close()
		p, err := c.Open()
		if err != nil {
			return err
		}
		t := &telnet{port: p, conn: conn, lines: lines{true, true}}
		t.holdBoth = c.cfg.Wiring == Bridge
		defer t.stopHolding()
		return c.relay(ctx, p, telnetClient{conn, t}, p)
	})
}

// Telnet (RFC 854) and its COM-PORT option (RFC 2217).
const (
	telnetIAC, telnetDont, telnetDo, telnetWont, telnetWill = 255, 254, 253, 252, 251
	telnetSB, telnetSE                                      = 250, 240

	optionBinary, optionSuppressGoAhead, optionComPort = 0, 3, 44

	comSignature, comBaud, comData, comParity, comStop = 0, 1, 2, 3, 4
	comControl, comModem                               = 5, 7
	comLineMask, comModemMask, comPurge                = 10, 11, 12
	comAnswer                                          = 100 // added to a command in its answer
	controlFlowNone                                    = 1
	controlDTR, controlDTROn, controlDTROff            = 7, 8, 9
	controlRTS, controlRTSOn, controlRTSOff            = 10, 11, 12
	controlFlow, controlBreak, controlBreakOff         = 0, 4, 6
	purgeReceive, purgeBoth                            = 1, 3
)

// bothHold is how long the state in which both lines are asserted is kept from the
// chip. Clients that set RTS and DTR in two messages pass through it on their
// way from reset to boot pin, and take 50 to 100 ms for it; on a cable those are
// microseconds, which the capacitor at EN swallows.
const bothHold = 300 * time.Millisecond

// telnet is the server's side of one RFC 2217 connection. Its goroutine is the
// one that reads the connection.
type telnet struct {
	port  *Port
	conn  io.Writer
	state telnetState
	verb  byte
	sub   []byte // the subnegotiation under way

	lines    lines
	holdBoth bool
	holding  *time.Timer
	agreed   map[[2]byte]bool // options answered before: answering twice loops
}

type telnetState uint8

const (
	telnetData telnetState = iota
	telnetCommand
	telnetOption
	telnetSub
	telnetSubIAC
)

// telnetClient is the connection with telnet taken off what comes in and put on
// what goes out.
type telnetClient struct {
	net.Conn
	t *telnet
}

func (c telnetClient) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		kept := p[:0]
		for _, b := range p[:n] {
			data, failed := c.t.byte(b)
			if failed != nil {
				return 0, failed
			}
			if data {
				kept = append(kept, b)
			}
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

func (c telnetClient) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+8)
	for _, b := range p {
		if b == telnetIAC {
			out = append(out, telnetIAC)
		}
		out = append(out, b)
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// byte takes one byte of the connection and reports whether it is data.
func (t *telnet) byte(b byte) (data bool, err error) {
	switch t.state {
	case telnetData:
		if b != telnetIAC {
			return true, nil
		}
		t.state = telnetCommand
	case telnetCommand:
		t.state = telnetData
		switch b {
		case telnetIAC:
			return true, nil
		case telnetDo, telnetDont, telnetWill, telnetWont:
			t.verb, t.state = b, telnetOption
		case telnetSB:
			t.sub, t.state = t.sub[:0], telnetSub
		}
	case telnetOption:
		t.state = telnetData
		return false, t.option(t.verb, b)
	case telnetSub:
		if b == telnetIAC {
			t.state = telnetSubIAC
			return false, nil
		}
		t.append(b)
	case telnetSubIAC:
		if b == telnetSE {
			t.state = telnetData
			return false, t.subnegotiation()
		}
		t.state = telnetSub
		t.append(b)
	}
	return false, nil
}

// append keeps a subnegotiation, of which only the first few bytes mean anything.
func (t *telnet) append(b byte) {
	if len(t.sub) < 256 {
		t.sub = append(t.sub, b)
	}
}

// option agrees to what the COM port needs and to nothing else.
func (t *telnet) option(verb, option byte) error {
	wanted := option == optionBinary || option == optionSuppressGoAhead || option == optionComPort
	var answer byte
	switch {
	case verb == telnetDo && wanted:
		answer = telnetWill
	case verb == telnetDo:
		answer = telnetWont
	case verb == telnetWill && wanted:
		answer = telnetDo
	case verb == telnetWill:
		answer = telnetDont
	default:
		return nil
	}
	if t.agreed == nil {
		t.agreed = map[[2]byte]bool{}
	}
	key := [2]byte{answer, option}
	if t.agreed[key] {
		return nil
	}
	t.agreed[key] = true
	if _, err := t.conn.Write([]byte{telnetIAC, answer, option}); err != nil {
		return err
	}
	if key == [2]byte{telnetDo, optionComPort} {
		return t.modem()
	}
	return nil
}

// modem tells of CTS, DSR, RI and CD, which no board wires. A server does so at the
// start and on request; without it pyserial cannot read any of them.
func (t *telnet) modem() error { return t.answer(comModem, []byte{0}) }

// subnegotiation carries out a command of the COM port and answers it.
func (t *telnet) subnegotiation() error {
	if len(t.sub) < 2 || t.sub[0] != optionComPort {
		return nil
	}
	command, value := t.sub[1], t.sub[2:]
	switch command {
	case comSignature:
		return t.answer(command, []byte("flashd simulate"))
	case comBaud:
		return t.baud(value)
	case comControl:
		if len(value) != 1 {
			return nil
		}
		return t.control(value[0])
	case comModem:
		return t.modem()
	case comPurge:
		if len(value) == 1 && (value[0] == purgeReceive || value[0] == purgeBoth) {
			t.port.purge()
		}
		return t.answer(command, value)
	case comData, comParity, comStop, comLineMask, comModemMask:
		return t.answer(command, value) // 8N1 whatever is asked for
	}
	return nil
}

func (t *telnet) answer(command byte, value []byte) error {
	out := []byte{telnetIAC, telnetSB, optionComPort, command + comAnswer}
	for _, b := range value {
		if b == telnetIAC {
			out = append(out, telnetIAC)
		}
		out = append(out, b)
	}
	_, err := t.conn.Write(append(out, telnetIAC, telnetSE))
	return err
}

// baud sets the rate, 4 bytes with the highest first; 0 asks for it.
func (t *telnet) baud(value []byte) error {
	if len(value) != 4 {
		return nil
	}
	if rate := binary.BigEndian.Uint32(value); rate != 0 {
		if err := t.port.SetBaud(int(rate)); err != nil {
			return err
		}
	}
	return t.answer(comBaud, binary.BigEndian.AppendUint32(nil, uint32(t.port.currentBaud())))
}

// control sets a line or tells of it.
func (t *telnet) control(what byte) error {
	wanted := t.lines
	switch what {
	case controlDTROn, controlDTROff:
		wanted.dtr = what == controlDTROn
	case controlRTSOn, controlRTSOff:
		wanted.rts = what == controlRTSOn
	case controlDTR:
		what = onOff(t.lines.dtr, controlDTROn, controlDTROff)
	case controlRTS:
		what = onOff(t.lines.rts, controlRTSOn, controlRTSOff)
	case controlFlow:
		what = controlFlowNone
	case controlBreak:
		what = controlBreakOff
	}
	if wanted != t.lines {
		t.lines = wanted
		if err := t.applyLines(); err != nil {
			return err
		}
	}
	return t.answer(comControl, []byte{what})
}

func onOff(on bool, yes, no byte) byte {
	if on {
		return yes
	}
	return no
}

// applyLines hands the lines to the chip, both asserted only if they stay so.
func (t *telnet) applyLines() error {
	t.stopHolding()
	now := t.lines
	if t.holdBoth && now.dtr && now.rts {
		t.holding = time.AfterFunc(bothHold, func() { _ = t.port.SetLines(true, true) })
		return nil
	}
	return t.port.SetLines(now.dtr, now.rts)
}

func (t *telnet) stopHolding() {
	if t.holding != nil {
		t.holding.Stop()
	}
}

// purge drops what the host has not read.
func (p *Port) purge() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.host.port == p {
		p.c.down.clear()
	}
}

// currentBaud is the host's rate.
func (p *Port) currentBaud() int {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.c.host.baud
}

var _ io.ReadWriteCloser = telnetClient{}
