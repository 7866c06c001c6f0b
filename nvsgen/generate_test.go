package nvsgen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/nvsgen"
)

func bytesFilled(n int) []nvsgen.Entry {
	var entries []nvsgen.Entry
	for i := range n {
		entries = append(entries, nvsgen.U8("n", fmt.Sprintf("k%d", i), 1))
	}
	return entries
}

func TestGenerate_refused(t *testing.T) {
	many := make([]nvsgen.Entry, 255)
	for i := range many {
		many[i] = nvsgen.U8(fmt.Sprintf("n%d", i), "k", 1)
	}
	one := []nvsgen.Entry{nvsgen.U8("n", "k", 1)}
	v1 := &nvsgen.Options{Version: 1}
	for _, tc := range []struct {
		name    string
		entries []nvsgen.Entry
		size    int
		opts    *nvsgen.Options
		is      error
		want    string
	}{
		{"255 namespaces", many, 0x10000, nil, nvsgen.ErrTooManyNamespaces, "the limit is 254"},
		{"duplicate", append(bytesFilled(2), nvsgen.String("n", "k0", "x")), 0x3000, nil, nvsgen.ErrDuplicateKey, "entry 3, n/k0"},
		{"one too many", bytesFilled(252), 0x3000, nil, nvsgen.ErrFull, "make it 0x4000 bytes"},
		{"read-only, one too many", bytesFilled(126), 0x1000, nil, nvsgen.ErrFull, "make it 0x2000 bytes"},
		{"blob too large", []nvsgen.Entry{nvsgen.Blob("n", "k", make([]byte, 15937))}, 0x5000, nil, nvsgen.ErrFull, "make it 0x6000 bytes"},
		{"string of 4000", []nvsgen.Entry{nvsgen.String("n", "k", strings.Repeat("x", 4000))}, 0x5000, nil, nvsgen.ErrValueTooLong, "the limit is 3999"},
		{"blob over all", []nvsgen.Entry{nvsgen.Blob("n", "k", make([]byte, nvsgen.MaxBlobLen+1))}, 0x100000, nil, nvsgen.ErrValueTooLong, "the limit is 508000"},
		{"version 1 blob", []nvsgen.Entry{nvsgen.Blob("n", "k", make([]byte, 1985))}, 0x5000, v1, nvsgen.ErrValueTooLong, "use version 2"},
		{"version 1 string", []nvsgen.Entry{nvsgen.String("n", "k", strings.Repeat("x", 1984))}, 0x5000, v1, nvsgen.ErrValueTooLong, "the limit is 1983"},
		{"long name", []nvsgen.Entry{nvsgen.U8("n", "sixteen-letters!", 1)}, 0x3000, nil, nvsgen.ErrNameTooLong, "the limit is 15"},
		{"NUL in name", []nvsgen.Entry{nvsgen.U8("n\x00", "k", 1)}, 0x3000, nil, nvsgen.ErrBadName, "NUL"},
		{"NUL in string", []nvsgen.Entry{nvsgen.String("n", "k", "a\x00b")}, 0x3000, nil, nvsgen.ErrBadValue, "blob"},
		{"no namespace", []nvsgen.Entry{nvsgen.U8("", "k", 1)}, 0x3000, nil, nvsgen.ErrNoNamespace, "name one"},
		{"size 0", one, 0, nil, nvsgen.ErrSize, "partition table"},
		{"negative size", one, -4096, nil, nvsgen.ErrSize, "partition table"},
		{"odd size", one, 0x3001, nil, nvsgen.ErrSize, "partition table"},
		{"version 3", one, 0x3000, &nvsgen.Options{Version: 3}, nvsgen.ErrVersion, "1 or 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := nvsgen.Generate(tc.entries, tc.size, tc.opts)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %v with %q", err, tc.is, tc.want)
			}
		})
	}
}

// Every length around the ends of entries and pages, at every place in a page.
func TestGenerate_packing(t *testing.T) {
	for _, before := range []int{0, 1, 60, 120, 121, 122, 123, 124, 125, 126} {
		for _, length := range []int{0, 1, 31, 32, 33, 95, 96, 127, 128, 3935, 3936, 3966, 3967, 3968, 3998, 3999} {
			entries := append(bytesFilled(before),
				nvsgen.String("n", "text", strings.Repeat("x", length)),
				nvsgen.Blob("n", "blob", make([]byte, length)),
				nvsgen.U8("n", "last", 1))
			image, err := nvsgen.Generate(entries, 0x6000, nil)
			if err != nil {
				t.Fatalf("%d before %d bytes: %v", before, length, err)
			}
			p := reopen(t, image, nil)
			if diff := cmp.Diff(entries, p.Entries); diff != "" {
				t.Errorf("%d before %d bytes: entries (-want +got):\n%s", before, length, diff)
			}
		}
	}
}

func TestGenerate_largest(t *testing.T) {
	blob := make([]byte, nvsgen.MaxBlobLen)
	for i := range blob {
		blob[i] = byte(i / 32)
	}
	// 125 entries leave room for an empty first chunk only: 128 chunks.
	entries := append(bytesFilled(124), nvsgen.Blob("n", "all", blob))
	image, err := nvsgen.Generate(entries, 131*nvsgen.PageSize, nil)
	p := reopen(t, image, err)
	if diff := cmp.Diff(entries, p.Entries); diff != "" {
		t.Error("the largest blob does not come back")
	}
}

func TestGenerate_readOnly(t *testing.T) {
	entries := bytesFilled(3*126 - 1)
	if _, err := nvsgen.Generate(entries, 0x3000, nil); !errors.Is(err, nvsgen.ErrFull) {
		t.Errorf("%v, want %v", err, nvsgen.ErrFull)
	}
	image, err := nvsgen.Generate(entries, 0x3000, &nvsgen.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := nvsgen.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(p.Refused, nvsgen.ErrNoFreePage) {
		t.Errorf("refused: %v, want %v", p.Refused, nvsgen.ErrNoFreePage)
	}
	if diff := cmp.Diff(entries, p.Entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if err := p.Set(nvsgen.U8("n", "k0", 2)); err != nil {
		t.Fatal(err)
	}
	if image, err = p.Image(); err != nil || len(image) != 0x3000 {
		t.Errorf("edited: %d bytes, %v", len(image), err)
	}
}

// Firmware knows a key in memory by 24 bits of a CRC. On an active page it
// takes two keys with the same bits for one and erases the first.
func TestGenerate_sameHash(t *testing.T) {
	a, b := sameHash(t)
	entries := []nvsgen.Entry{nvsgen.U8("n", a, 1), nvsgen.U8("n", b, 2)}
	image, err := nvsgen.Generate(entries, 0x3000, nil)
	p := reopen(t, image, err)
	if diff := cmp.Diff(entries, p.Entries); diff != "" {
		t.Errorf("%s and %s (-want +got):\n%s", a, b, diff)
	}
}

// sameHash finds two keys of the first namespace that firmware cannot tell
// apart in its index.
func sameHash(t *testing.T) (string, string) {
	seen := map[uint32]string{}
	for i := range 1 << 20 {
		key := fmt.Sprintf("key%d", i)
		hash := nvsgen.SearchHash(1, key)
		if other, ok := seen[hash]; ok {
			return other, key
		}
		seen[hash] = key
	}
	t.Fatal("no two keys with the same hash")
	return "", ""
}
