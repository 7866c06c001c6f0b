package usbip_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/espsim/usbip"
)

// host speaks the kernel's part of the protocol.
type host struct {
	*testing.T
	conn     net.Conn
	sequence uint32
}

// attach serves a board to a host of the test's own.
func attach(t *testing.T, a usbip.Adapter) (*host, *usbip.Board) {
	t.Helper()
	b := usbip.New(espsim.Config{Model: espsim.ESP32C3, MAC: [6]byte{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}}, a)
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- b.Serve(far) }()
	t.Cleanup(func() {
		near.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		b.Close()
	})
	if err := near.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &host{T: t, conn: near}, b
}

// submit sends an URB and returns its number.
func (h *host) submit(in bool, endpoint, length int, setup [8]byte, data []byte) uint32 {
	h.Helper()
	h.sequence++
	m := make([]byte, 48, 48+len(data))
	be := binary.BigEndian
	be.PutUint32(m[0:], 1)
	be.PutUint32(m[4:], h.sequence)
	if in {
		be.PutUint32(m[12:], 1)
	}
	be.PutUint32(m[16:], uint32(endpoint))
	be.PutUint32(m[24:], uint32(length))
	copy(m[40:], setup[:])
	if _, err := h.conn.Write(append(m, data...)); err != nil {
		h.Fatal(err)
	}
	return h.sequence
}

// answer reads the answer to an URB: its status, and what came with it.
func (h *host) answer(want uint32, in bool) (status int32, data []byte) {
	h.Helper()
	var m [48]byte
	if _, err := io.ReadFull(h.conn, m[:]); err != nil {
		h.Fatal(err)
	}
	be := binary.BigEndian
	if got := be.Uint32(m[4:]); be.Uint32(m[0:]) != 3 || got != want {
		h.Fatalf("answer %d to URB %d, want 3 to %d", be.Uint32(m[0:]), got, want)
	}
	if in {
		data = make([]byte, be.Uint32(m[24:]))
		if _, err := io.ReadFull(h.conn, data); err != nil {
			h.Fatal(err)
		}
	}
	return int32(be.Uint32(m[20:])), data
}

// control makes a control request; kind's top bit says the way.
func (h *host) control(kind, request byte, value, index uint16, length int, data []byte) (int32, []byte) {
	h.Helper()
	s := [8]byte{kind, request}
	binary.LittleEndian.PutUint16(s[2:], value)
	binary.LittleEndian.PutUint16(s[4:], index)
	binary.LittleEndian.PutUint16(s[6:], uint16(length))
	in := kind&0x80 != 0
	return h.answer(h.submit(in, 0, length, s, data), in)
}

// readUntil reads what the chip says until it has said that.
func (h *host) readUntil(endpoint int, want string) {
	h.Helper()
	var said strings.Builder
	for !strings.Contains(said.String(), want) {
		_, data := h.answer(h.submit(true, endpoint, 64, [8]byte{}, nil), true)
		said.Write(data)
	}
}

func TestDescriptors(t *testing.T) {
	for _, tc := range []struct {
		adapter  usbip.Adapter
		vid, pid uint16
		serial   string
	}{
		{usbip.USBSerialJTAG, 0x303A, 0x1001, "A1:B2:C3:D4:E5:F6"},
		{usbip.USBOTG, 0x303A, 0x0005, "0"},
		{usbip.CP2102, 0x10C4, 0xEA60, "0001"},
		{usbip.CH340, 0x1A86, 0x7523, ""},
	} {
		t.Run(tc.adapter.String(), func(t *testing.T) {
			h, _ := attach(t, tc.adapter)
			_, d := h.control(0x80, 6, 0x0100, 0, 64, nil)
			le := binary.LittleEndian
			if len(d) != 18 || le.Uint16(d[8:]) != tc.vid || le.Uint16(d[10:]) != tc.pid {
				t.Fatalf("device descriptor % x", d)
			}
			_, c := h.control(0x80, 6, 0x0200, 0, 9, nil)
			_, all := h.control(0x80, 6, 0x0200, 0, 512, nil)
			if len(c) != 9 || int(le.Uint16(c[2:])) != len(all) {
				t.Errorf("configuration of %d bytes says % x", len(all), c)
			}
			if tc.serial == "" {
				if d[16] != 0 {
					t.Errorf("it has a serial number, string %d", d[16])
				}
				return
			}
			_, s := h.control(0x80, 6, 0x0300|uint16(d[16]), 0x0409, 255, nil)
			var text []byte
			for i := 2; i < len(s); i += 2 {
				text = append(text, s[i])
			}
			if string(text) != tc.serial {
				t.Errorf("serial number %q, want %q", text, tc.serial)
			}
		})
	}
}

// What the chip says reaches the host, and the lines bring the chip into
// download mode, each adapter in its own words.
func TestLinesReachTheChip(t *testing.T) {
	type request struct {
		kind, request byte
		value, index  uint16
	}
	for _, tc := range []struct {
		adapter  usbip.Adapter
		endpoint int
		lines    func(dtr, rts uint16) request // 1: asserted
	}{
		{usbip.USBSerialJTAG, 1, func(dtr, rts uint16) request { return request{0x21, 0x22, dtr | rts<<1, 0} }},
		{usbip.CP2102, 1, func(dtr, rts uint16) request { return request{0x41, 0x07, 0x300 | dtr | rts<<1, 0} }},
		{usbip.CH340, 2, func(dtr, rts uint16) request { return request{0x40, 0xA4, ^(dtr<<5 | rts<<6), 0} }},
	} {
		t.Run(tc.adapter.String(), func(t *testing.T) {
			h, b := attach(t, tc.adapter)
			h.readUntil(tc.endpoint, "rst:") // it has started from flash
			h.control(0x00, 9, 1, 0, 0, nil)
			// The chip's own unit resets the chip by RTS after DTR, the
			// transistors by RTS before DTR, which then stays: how soon the
			// chip looks at its boot pin depends on how busy this machine is.
			steps := [][2]uint16{{0, 1}, {1, 0}}
			if tc.adapter == usbip.USBSerialJTAG {
				steps = [][2]uint16{{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}
			}
			for _, s := range steps {
				r := tc.lines(s[0], s[1])
				if status, _ := h.control(r.kind, r.request, r.value, r.index, 0, nil); status != 0 {
					t.Fatalf("lines %v: status %d", s, status)
				}
			}
			for deadline := time.Now().Add(5 * time.Second); b.Chip().State() != espsim.Download; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the chip is in %v", b.Chip().State())
				}
			}
		})
	}
}

// An URB that was taken back gets no answer, and its unlink says so.
func TestUnlink(t *testing.T) {
	h, _ := attach(t, usbip.CP2102)
	victim := h.submit(true, 3, 8, [8]byte{}, nil) // an endpoint that never has anything
	h.sequence++
	m := make([]byte, 48)
	be := binary.BigEndian
	be.PutUint32(m[0:], 2)
	be.PutUint32(m[4:], h.sequence)
	be.PutUint32(m[20:], victim)
	if _, err := h.conn.Write(m); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(h.conn, m); err != nil {
		t.Fatal(err)
	}
	if be.Uint32(m[0:]) != 4 || int32(be.Uint32(m[20:])) != -104 {
		t.Errorf("unlink answered with % x", m[:24])
	}
}

// An adapter that hangs still is what it was to the bus, which is how a host can
// reset it, and leaves its driver without an answer until then.
func TestHangsUntilItIsReset(t *testing.T) {
	h, b := attach(t, usbip.CP2102)
	h.control(0x00, 9, 1, 0, 0, nil)
	b.Hang()
	h.submit(false, 0, 0, [8]byte{0x41, 0x07, 0, 3}, nil) // an answer to it would be read as one to the next
	if _, d := h.control(0x80, 6, 0x0100, 0, 18, nil); len(d) != 18 {
		t.Errorf("device descriptor % x", d)
	}
	h.control(0x00, 9, 1, 0, 0, nil) // as after a reset
	if status, _ := h.control(0x41, 0x07, 0x300, 0, 0, nil); status != 0 {
		t.Errorf("after a reset: status %d", status)
	}
}

func TestPluggedTwice(t *testing.T) {
	h, b := attach(t, usbip.CP2102)
	h.control(0x80, 6, 0x0100, 0, 18, nil)
	if err := b.Plug(0); !errors.Is(err, usbip.ErrPlugged) {
		t.Errorf("got %v, want ErrPlugged", err)
	}
}

// Whatever a host sends, a board ends the connection or goes on.
func FuzzServe(f *testing.F) {
	m := make([]byte, 48)
	m[3], m[15], m[40], m[41], m[43] = 1, 1, 0x80, 6, 1
	f.Add(m)
	f.Add(append(append([]byte{}, m...), m...))
	b := usbip.New(espsim.Config{Model: espsim.ESP32C3}, usbip.CP2102)
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		go func() {
			_, _ = near.Write(sent) // the board may hang up early
			near.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, near) }()
		if err := b.Serve(far); err != nil {
			t.Error(err)
		}
	})
}
