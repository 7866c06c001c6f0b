package serialport

import (
	"bytes"
	"testing"
)

// FuzzTelnet: however the stream is cut, what comes out is the same, and
// escaped data comes back as it was.
func FuzzTelnet(f *testing.F) {
	f.Add([]byte("abc\xff\xfe\x00"), 2)
	f.Add([]byte{tnIAC, tnSB, optComPort, 101, 0, 1, 0xC2, 0, tnIAC, tnSE, 'x'}, 4)
	f.Add([]byte{tnIAC, tnSB, 1, tnIAC, tnIAC, tnIAC, tnDo, tnIAC, tnSE}, 3)
	f.Add([]byte{tnIAC, tnWill, tnIAC, tnIAC, tnIAC, tnIAC, tnSE}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		whole := parseInPieces(stream, len(stream))
		if cut > 0 {
			if pieces := parseInPieces(stream, cut); pieces != whole {
				t.Errorf("whole %+v, in pieces of %d %+v", whole, cut, pieces)
			}
		}
		if back := parseInPieces(telnetEscape(nil, stream), len(stream)); back.data != string(stream) || back.calls != "" {
			t.Errorf("% x came back as %+v", stream, back)
		}
	})
}

type parsed struct{ data, calls string }

func parseInPieces(stream []byte, size int) parsed {
	var calls bytes.Buffer
	p := telnetParser{
		option: func(verb, option byte) { calls.Write([]byte{'o', verb, option}) },
		subneg: func(sub []byte) { calls.WriteByte('s'); calls.Write(sub) },
	}
	var data []byte
	for len(stream) > 0 {
		n := min(size, len(stream))
		data = p.parse(data, stream[:n])
		stream = stream[n:]
	}
	return parsed{string(data), calls.String()}
}
