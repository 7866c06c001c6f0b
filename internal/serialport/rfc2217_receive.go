package serialport

// unreadLimit is how many bytes wait for a reader; more are lost, as they
// are by a tty that nobody reads.
const unreadLimit = 1 << 20

// receive takes the stream apart until it ends.
func (p *rfc2217) receive() {
	parser := telnetParser{option: p.onOption, subneg: p.onSubnegotiation}
	in := make([]byte, 16<<10)
	for {
		n, err := p.conn.Read(in)
		data := parser.parse(nil, in[:n])
		p.mu.Lock()
		p.unread = append(p.unread, data[:min(len(data), unreadLimit-len(p.unread))]...)
		p.err = err
		p.mu.Unlock()
		p.more.Broadcast()
		if err != nil {
			return
		}
	}
}

// onOption answers what the server offers or asks for beyond what start has
// already agreed to.
func (p *rfc2217) onOption(verb, option byte) {
	if option == optComPort && (verb == tnDo || verb == tnDont) {
		select {
		case p.agreed <- verb == tnDo:
		default: // start has its answer
		}
	}
	if option == optBinary || option == optSGA || option == optComPort {
		return
	}
	switch verb {
	case tnWill:
		_ = p.send([]byte{tnIAC, tnDont, option}) // receive meets the same error
	case tnDo:
		_ = p.send([]byte{tnIAC, tnWont, option})
	}
}

func (p *rfc2217) onSubnegotiation(sub []byte) {
	if len(sub) < 3 || sub[0] != optComPort || sub[1] < comAnswer {
		return
	}
	a := answer{command: sub[1] - comAnswer}
	for _, c := range sub[2:min(len(sub), 6)] {
		a.value = a.value<<8 | uint32(c)
	}
	select {
	case p.answers <- a:
	default: // nobody is waiting for any of these
	}
}
