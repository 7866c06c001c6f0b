package slip

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decode(chunks ...[]byte) [][]byte {
	var d Decoder
	var got [][]byte
	for _, c := range chunks {
		d.Write(c, func(p []byte) { got = append(got, bytes.Clone(p)) })
	}
	return got
}

func TestDecodeStreams(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   string
		want []string
	}{
		{"one frame", "\xc0abc\xc0", []string{"abc"}},
		{"escapes", "\xc0a\xdb\xdcb\xdb\xddc\xc0", []string{"a\xc0b\xdbc"}},
		{"boot log before", "rst:0x1\r\n\xc0abc\xc0", []string{"abc"}},
		{"shared END", "\xc0a\xc0b\xc0", []string{"a", "b"}},
		{"doubled END", "\xc0a\xc0\xc0b\xc0", []string{"a", "b"}},
		{"bad escape drops the frame only", "\xc0a\xdbz\xc0\xc0b\xc0", []string{"b"}},
		{"escape cut off by END", "\xc0a\xdb\xc0\xc0b\xc0", []string{"b"}},
		{"unfinished", "\xc0abc", nil},
		{"empty frames", "\xc0\xc0\xc0\xc0", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, p := range decode([]byte(tc.in)) {
				got = append(got, string(p))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMaxDropsLongFrames(t *testing.T) {
	d := Decoder{Max: 3}
	var got []string
	d.Write([]byte("\xc0abcd\xc0\xc0abc\xc0"), func(p []byte) { got = append(got, string(p)) })
	if diff := cmp.Diff([]string{"abc"}, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("abc"), 1)
	f.Add([]byte{End, Esc, EscEnd, EscEsc}, 3)
	f.Fuzz(func(t *testing.T, payload []byte, cut int) {
		frame := Append(nil, payload)
		cut = min(max(cut, 0), len(frame))
		got := decode(frame[:cut], frame[cut:])
		if len(payload) == 0 {
			if len(got) != 0 {
				t.Fatalf("an empty payload made frames %q", got)
			}
			return
		}
		if len(got) != 1 || !bytes.Equal(got[0], payload) {
			t.Fatalf("payload %x came back as %x", payload, got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xc0a\xdb\xdcb\xc0\xc0\xdb\xc0"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole := decode(stream)
		var bytewise [][]byte
		var d Decoder
		for _, b := range stream {
			d.Write([]byte{b}, func(p []byte) { bytewise = append(bytewise, bytes.Clone(p)) })
		}
		if diff := cmp.Diff(whole, bytewise); diff != "" {
			t.Fatalf("splitting the stream changed the frames:\n%s", diff)
		}
	})
}
