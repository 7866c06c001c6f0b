package flasher

import (
	"encoding/binary"
	"testing"
)

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte{1, 8, 4, 0, 7, 7, 0x12, 0x20, 0, 0, 0, 0})
	f.Add([]byte{1, 0x13, 34, 0, 0, 0, 0, 0, 'a'})
	f.Add([]byte{1, 9, 2, 0, 0, 0, 0, 0, 0xC1, 0})
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, err := parseResponse(packet)
		if err != nil {
			return
		}
		if len(r.body) != int(binary.LittleEndian.Uint16(packet[2:])) {
			t.Errorf("a body of %d bytes from % x", len(r.body), packet)
		}
		for _, stub := range []bool{false, true} {
			data, status, ok := r.split(stub)
			if !ok {
				continue
			}
			if len(data) > len(r.body)-2 {
				t.Errorf("data of %d bytes from a body of %d", len(data), len(r.body))
			}
			if failed(status) && reason(status) == "" {
				t.Errorf("status %04x has no reason", status)
			}
		}
	})
}

func FuzzParseSecurityInfo(f *testing.F) {
	f.Add(make([]byte, 12))
	f.Add([]byte{5, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := parseSecurityInfo(data)
		if err != nil {
			return
		}
		if info.SecureBoot != (data[0]&1 != 0) || info.hasChipID != (len(data) >= 20) {
			t.Errorf("%+v from % x", info, data)
		}
	})
}
