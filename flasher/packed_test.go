package flasher_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"slices"
	"testing"

	"hoptech.co.nz/flashd/flasher"
)

// deflated is data as a zlib stream that nobody else would make of it.
func deflated(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = w.Write(data) // a buffer takes all
	w.Close()
	return out.Bytes()
}

func inflated(tb testing.TB, stream []byte) []byte {
	tb.Helper()
	r, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// What was compressed before is used as it is, if it is the same content.
func TestRepack(t *testing.T) {
	for _, size := range []int{400, 32 << 10, 100_000} {
		data := codeLike(size)
		kept := deflated(t, data)
		broken := bytes.Clone(kept)
		broken[len(broken)/2] ^= 1
		own := pack(t, "app", 0x10000, data)
		for name, tc := range map[string]struct{ kept, want []byte }{
			"kept":             {kept, kept},
			"nothing kept":     {nil, own.Deflated()},
			"broken":           {broken, own.Deflated()},
			"cut":              {kept[:len(kept)-5], own.Deflated()},
			"something behind": {slices.Concat(kept, []byte{0}), own.Deflated()},
			"something else":   {deflated(t, codeLike(size + 4)[4:]), own.Deflated()},
			"less":             {deflated(t, data[:size-4]), own.Deflated()},
			"more":             {deflated(t, codeLike(size+4)), own.Deflated()},
			"larger than data": {slices.Concat(data, data), own.Deflated()},
		} {
			p, err := flasher.Repack("app", 0x10000, data, tc.kept)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(p.Deflated(), tc.want) {
				t.Errorf("%d bytes, %s: another stream than expected", size, name)
			}
			if p.WireSize() != len(tc.want) || p.MD5 != own.MD5 || p.Size != own.Size {
				t.Errorf("%d bytes, %s: %d bytes on the line, want %d", size, name, p.WireSize(), len(tc.want))
			}
		}
	}
}

func FuzzRepack(f *testing.F) {
	data := codeLike(2000)
	f.Add(deflated(f, data))
	f.Add(deflated(f, data[:1996]))
	f.Fuzz(func(t *testing.T, kept []byte) {
		p, err := flasher.Repack("app", 0x10000, data, kept)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(inflated(t, p.Deflated()), data) {
			t.Error("it does not inflate to what is to be written")
		}
	})
}
