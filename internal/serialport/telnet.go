package serialport

// The bytes of the telnet protocol (RFC 854, 856, 858) that RFC 2217 needs.
const (
	tnSE   = 240 // end of a subnegotiation
	tnSB   = 250 // start of one
	tnWill = 251
	tnWont = 252
	tnDo   = 253
	tnDont = 254
	tnIAC  = 255 // introduces a command; twice is the byte itself

	optBinary  = 0
	optSGA     = 3  // suppress go-ahead
	optComPort = 44 // RFC 2217
)

// telnetEscape appends b to dst with each IAC doubled.
func telnetEscape(dst, b []byte) []byte {
	for _, c := range b {
		if c == tnIAC {
			dst = append(dst, tnIAC)
		}
		dst = append(dst, c)
	}
	return dst
}

// maxSub bounds a subnegotiation. The longest that RFC 2217 has is a signature
// of some text; what exceeds this is cut off, not stored.
const maxSub = 256

// telnetParser separates a telnet stream into data, option requests and
// subnegotiations. The stream may be cut anywhere.
type telnetParser struct {
	state  telnetState
	verb   byte   // of the option request being read
	sub    []byte // of the subnegotiation being read, starting with its option
	option func(verb, option byte)
	subneg func(sub []byte)
}

type telnetState uint8

const (
	tnData       telnetState = iota
	tnCommand                // after IAC
	tnOption                 // after IAC and WILL, WONT, DO or DONT
	tnSub                    // inside a subnegotiation
	tnSubCommand             // after IAC inside one
)

// parse consumes in, calls back for what it finds, and appends the data to dst.
func (p *telnetParser) parse(dst, in []byte) []byte {
	for _, c := range in {
		switch p.state {
		case tnData:
			if c == tnIAC {
				p.state = tnCommand
				continue
			}
			dst = append(dst, c)
		case tnCommand:
			if c == tnIAC {
				dst = append(dst, c)
			}
			p.command(c)
		case tnOption:
			p.state = tnData
			p.option(p.verb, c)
		case tnSub:
			if c == tnIAC {
				p.state = tnSubCommand
				continue
			}
			p.keep(c)
		case tnSubCommand:
			p.endSub(c)
		}
	}
	return dst
}

func (p *telnetParser) command(c byte) {
	switch c {
	case tnWill, tnWont, tnDo, tnDont:
		p.verb, p.state = c, tnOption
	case tnSB:
		p.sub, p.state = p.sub[:0], tnSub
	default: // an escaped IAC, NOP, go-ahead and the like
		p.state = tnData
	}
}

func (p *telnetParser) endSub(c byte) {
	p.state = tnSub
	switch c {
	case tnIAC:
		p.keep(c)
	case tnSE:
		p.state = tnData
		p.subneg(p.sub)
	}
}

func (p *telnetParser) keep(c byte) {
	if len(p.sub) < maxSub {
		p.sub = append(p.sub, c)
	}
}
