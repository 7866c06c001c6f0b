package deflate_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"hoptech.co.nz/flashd/flasher/deflate"
)

// inflate is the standard library's: another implementation than either.
func inflate(t *testing.T, stream []byte) []byte {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func check(t *testing.T, data []byte) []byte {
	t.Helper()
	stream, err := deflate.Compress(data)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 1950: the upper half of the first byte is log2(window) - 8.
	if window := 1 << (stream[0]>>4 + 8); window > 32<<10 {
		t.Errorf("a window of %d bytes", window)
	}
	if !bytes.Equal(inflate(t, stream), data) {
		t.Error("it does not inflate to what was compressed")
	}
	return stream
}

func program(tb testing.TB) []byte {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data[:min(len(data), 1<<20)]
}

func TestCompress(t *testing.T) {
	noise := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, data := range map[string][]byte{
		"nothing": {}, "one byte": {7}, "blank": bytes.Repeat([]byte{0xFF}, 200_000), "noise": noise,
	} {
		t.Run(name, func(t *testing.T) { check(t, data) })
	}
	t.Run("program", func(t *testing.T) {
		data := program(t)
		var standard bytes.Buffer
		w, err := zlib.NewWriterLevel(&standard, zlib.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data) // a buffer takes all
		w.Close()
		if got := len(check(t, data)); got > standard.Len() {
			t.Errorf("%d bytes, and the standard library makes %d of it", got, standard.Len())
		}
	})
}

func FuzzCompress(f *testing.F) {
	f.Add([]byte("a release is compressed once for all units"))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, data) })
}

func BenchmarkCompress(b *testing.B) {
	data := program(b)
	b.SetBytes(int64(len(data)))
	size := 0
	for b.Loop() {
		stream, err := deflate.Compress(data)
		if err != nil {
			b.Fatal(err)
		}
		size = len(stream)
	}
	b.ReportMetric(float64(size)/float64(len(data)), "ratio")
}
