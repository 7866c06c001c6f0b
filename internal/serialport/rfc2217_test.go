package serialport_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/serialport"
)

// comServer is the far end of RFC 2217, written from the RFC.
type comServer struct {
	conn    net.Conn
	refuse  bool // do not agree to COM-PORT-OPTION
	silent  bool // answer nothing once the option is agreed on
	mute    bool // do not answer SET-CONTROL
	polite  int  // … after that many
	baudOff int  // added to the rate that the client asks for

	mu   sync.Mutex
	log  []string      // what the client set
	data bytes.Buffer  // what the client wrote
	got  chan struct{} // data has grown
}

const iac, sb, se, will, wont, do, dont, comPort = 255, 250, 240, 251, 252, 253, 254, 44

func (s *comServer) serve() {
	in := bufio.NewReaderSize(s.conn, 16)
	for {
		c, err := in.ReadByte()
		switch {
		case err != nil:
			return // the client left
		case c != iac:
			s.keep(c)
			continue
		}
		switch c, _ = in.ReadByte(); c {
		case iac:
			s.keep(iac)
		case will, do:
			option, _ := in.ReadByte()
			s.negotiate(c, option)
		case wont, dont:
			_, _ = in.ReadByte()
		case sb:
			s.command(subnegotiation(in))
		}
	}
}

// subnegotiation reads up to the end of a subnegotiation, or of the stream.
func subnegotiation(in *bufio.Reader) []byte {
	var sub []byte
	for {
		c, err := in.ReadByte()
		if c == iac {
			c, err = in.ReadByte()
			if c == se {
				return sub
			}
		}
		if err != nil {
			return sub
		}
		sub = append(sub, c)
	}
}

// send tells the client; a client that left is found by the next read.
func (s *comServer) send(b ...byte) { _, _ = s.conn.Write(b) }

func (s *comServer) keep(c byte) {
	s.mu.Lock()
	s.data.WriteByte(c)
	s.mu.Unlock()
	s.got <- struct{}{}
}

func (s *comServer) negotiate(verb, option byte) {
	switch {
	case verb == will && option == comPort && s.refuse:
		s.send(iac, dont, option)
	case verb == will:
		s.send(iac, do, option)
	case option == comPort:
		s.send(iac, wont, option)
	default:
		s.send(iac, will, option, iac, will, 1) // echo, which nobody asked for
	}
}

func (s *comServer) command(sub []byte) {
	if len(sub) < 2 {
		return // cut off by the end
	}
	value := 0
	for _, c := range sub[2:] {
		value = value<<8 | int(c)
	}
	s.mu.Lock()
	s.log = append(s.log, fmt.Sprintf("%d=%d", sub[1], value))
	s.mu.Unlock()
	if s.silent {
		return
	}
	if s.mute && sub[1] == 5 {
		if s.polite == 0 {
			return
		}
		s.polite--
	}
	reply := []byte{iac, sb, comPort, sub[1] + 100}
	if sub[1] == 1 {
		reply = binary.BigEndian.AppendUint32(reply, uint32(value+s.baudOff))
	} else {
		reply = append(reply, sub[2:]...)
	}
	reply = append(reply[:2], bytes.ReplaceAll(reply[2:], []byte{iac}, []byte{iac, iac})...)
	for _, c := range append(reply, iac, se) {
		s.send(c) // cut everywhere
	}
}

func (s *comServer) settings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// startCom runs s and returns its URL.
func startCom(t *testing.T, s *comServer) string {
	t.Helper()
	addr, accept := listen(t)
	s.got = make(chan struct{}, 1<<20)
	var wg sync.WaitGroup
	wg.Go(func() {
		if s.conn = accept(); s.conn != nil {
			s.serve()
		}
	})
	t.Cleanup(wg.Wait)
	return "rfc2217://" + addr
}

func TestRFC2217SetsUpThePort(t *testing.T) {
	s := &comServer{}
	open(t, startCom(t, s))
	// 8 data bits, no parity, 1 stop bit, no flow control, 115200 baud
	if diff := cmp.Diff([]string{"2=8", "3=1", "4=1", "5=1", "1=115200"}, s.settings()); diff != "" {
		t.Error(diff)
	}
}

func TestRFC2217Lines(t *testing.T) {
	s := &comServer{}
	p := open(t, startCom(t, s))
	s.settings()
	tests := []struct {
		dtr, rts bool
		want     []string
	}{
		{false, false, []string{"5=9", "5=12"}},
		{true, true, []string{"5=8", "5=11"}},
		{false, true, []string{"5=11", "5=9"}}, // asserts before it releases
		{true, false, []string{"5=8", "5=12"}},
	}
	for _, tt := range tests {
		if err := p.SetLines(tt.dtr, tt.rts); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, s.settings()); diff != "" {
			t.Errorf("DTR %v RTS %v: %s", tt.dtr, tt.rts, diff)
		}
	}
}

func TestRFC2217Baud(t *testing.T) {
	s := &comServer{}
	p := open(t, startCom(t, s))
	s.settings()
	// 0x00FF00FF: the value holds two IAC bytes.
	for _, baud := range []int{921600, 0x00FF00FF} {
		if err := p.SetBaud(baud); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{fmt.Sprintf("1=%d", baud)}, s.settings()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRFC2217ServerThatMakesAnotherRate(t *testing.T) {
	s := &comServer{baudOff: -10000}
	_, err := serialport.Open(t.Context(), startCom(t, s))
	if err == nil || !strings.Contains(err.Error(), "makes 105200 baud when asked for 115200") {
		t.Errorf("got %v", err)
	}
}

func TestRFC2217CarriesEveryByte(t *testing.T) {
	s := &comServer{}
	p := open(t, startCom(t, s))
	all := make([]byte, 512)
	for i := range all {
		all[i] = byte(i / 2) // each byte twice: IAC IAC must stay two
	}
	if n, err := p.Write(all); n != len(all) || err != nil {
		t.Fatal(n, err)
	}
	for range all {
		<-s.got
	}
	s.mu.Lock()
	if !bytes.Equal(s.data.Bytes(), all) {
		t.Errorf("the server got % x", s.data.Bytes())
	}
	s.mu.Unlock()

	escaped := bytes.ReplaceAll(all, []byte{iac}, []byte{iac, iac})
	for _, c := range escaped {
		s.send(c)
	}
	got := make([]byte, len(all))
	if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, all) {
		t.Errorf("the client got % x, %v", got, err)
	}
}

func TestRFC2217Refused(t *testing.T) {
	_, err := serialport.Open(t.Context(), startCom(t, &comServer{refuse: true}))
	if err == nil || !strings.Contains(err.Error(), "refuses RFC 2217") {
		t.Errorf("got %v", err)
	}
}

// TestRFC2217ServerThatIgnoresLines has the server of esptool, which answers
// everything but SET-CONTROL, and one that stops answering after flow control,
// DTR and RTS.
func TestRFC2217ServerThatIgnoresLines(t *testing.T) {
	for _, option := range []string{"?timeout=0.05", "?ign_set_control"} {
		s := &comServer{mute: true}
		p := open(t, startCom(t, s)+option)
		for range 2 {
			if err := p.SetLines(true, false); err != nil {
				t.Errorf("%s: %v", option, err)
			}
		}
	}
	s := &comServer{mute: true, polite: 3}
	p := open(t, startCom(t, s)+"?timeout=0.05")
	if err := p.SetLines(true, false); err != nil {
		t.Error(err)
	}
	if err := p.SetLines(false, true); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
	}
}

func TestRFC2217PlainServer(t *testing.T) {
	addr, accept := listen(t)
	go accept() // and says nothing
	_, err := serialport.Open(t.Context(), "rfc2217://"+addr+"?timeout=0.05")
	if err == nil || !strings.Contains(err.Error(), "does not speak RFC 2217") {
		t.Errorf("got %v", err)
	}
}

// However long a server may take to answer, the context bounds the opening.
func TestRFC2217OpenEndsWithItsContext(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, enough)
	defer cancel()
	_, err := serialport.Open(ctx, startCom(t, &comServer{silent: true})+"?timeout=2")
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
}

func TestRFC2217EndIsDetached(t *testing.T) {
	for name, do := range map[string]func(flasher.Port) error{
		"read": func(p flasher.Port) error { _, err := p.Read(make([]byte, 1)); return err },
		"baud": func(p flasher.Port) error { return p.SetBaud(9600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &comServer{}
			p := open(t, startCom(t, s))
			if err := s.conn.Close(); err != nil {
				t.Fatal(err)
			}
			wantDetached(t, do(p))
		})
	}
}

func TestRFC2217CloseEndsPendingRead(t *testing.T) {
	p := open(t, startCom(t, &comServer{}))
	result := make(chan error)
	go func() { _, err := p.Read(make([]byte, 1)); result <- err }()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v, want os.ErrClosed", err)
	}
}
