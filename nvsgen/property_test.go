package nvsgen_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hoptech.co.nz/flashd/nvsgen"
)

// randomEntries returns entries of all types in random namespaces, all of them
// legal for the version.
func randomEntries(r *rand.Rand, version int) []nvsgen.Entry {
	longest := 4200
	if version == 1 {
		longest = nvsgen.MaxLenV1
	}
	var entries []nvsgen.Entry
	for ns := range 1 + r.IntN(6) {
		name := fmt.Sprintf("ns%d", ns)
		if r.IntN(5) == 0 {
			entries = append(entries, nvsgen.Namespace(fmt.Sprintf("bare%d", ns)))
		}
		for key := range 1 + r.IntN(40) {
			entries = append(entries, nvsgen.Entry{Namespace: name, Key: fmt.Sprintf("k%d", key), Value: randomValue(r, longest)})
		}
	}
	return entries
}

func randomValue(r *rand.Rand, longest int) nvsgen.Value {
	n := r.Uint64()
	length := r.IntN(70)
	if r.IntN(20) == 0 {
		length = r.IntN(longest)
	}
	switch r.IntN(12) {
	case 0:
		return nvsgen.Uint8(n)
	case 1:
		return nvsgen.Int8(n)
	case 2:
		return nvsgen.Uint16(n)
	case 3:
		return nvsgen.Int16(n)
	case 4:
		return nvsgen.Uint32(n)
	case 5:
		return nvsgen.Int32(n)
	case 6:
		return nvsgen.Uint64(n)
	case 7:
		return nvsgen.Int64(n)
	case 8:
		return nvsgen.Double(r.NormFloat64())
	case 9, 10:
		return nvsgen.Bytes(randomBytes(r, length))
	default:
		text := randomBytes(r, min(length, nvsgen.MaxStringLen, longest-1))
		for i := range text {
			text[i] = text[i]%255 + 1 // no NUL
		}
		return nvsgen.Text(text)
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// diffEntries returns what differs, or nothing.
func diffEntries(want, got []nvsgen.Entry) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// keysOnly drops the declarations of namespaces.
func keysOnly(entries []nvsgen.Entry) []nvsgen.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e nvsgen.Entry) bool { return e.Value == nil })
}

// eachRandom runs f on random partitions of both versions, plain and encrypted.
func eachRandom(t *testing.T, f func(t *testing.T, r *rand.Rand, entries []nvsgen.Entry, opts *nvsgen.Options, image []byte)) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		opts := &nvsgen.Options{Version: 1 + int(seed%2)}
		if seed%4 < 2 {
			opts.Keys = nvsgen.NewKeys()
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			entries := randomEntries(r, opts.Version)
			image, err := nvsgen.Generate(entries, 0x20000, opts)
			if err != nil {
				t.Fatal(err)
			}
			f(t, r, entries, opts, image)
		})
	}
}

func mustParse(t *testing.T, image []byte, keys *nvsgen.Keys) *nvsgen.Partition {
	t.Helper()
	p, err := parseWith(image, keys)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is generated parses to the same entries, and what parses generates the
// same bytes.
func TestGenerate_parsesBack(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, entries []nvsgen.Entry, opts *nvsgen.Options, image []byte) {
		p := mustParse(t, image, opts.Keys)
		if diff := diffEntries(keysOnly(entries), p.Entries); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if !p.Untouched || len(p.Problems) > 0 {
			t.Errorf("firmware would write to it: %v", p.Problems)
		}
		again, err := nvsgen.Generate(p.Rows(), len(image), opts)
		if err != nil {
			t.Fatal(err)
		}
		if at := firstDifference(again, image); at >= 0 {
			t.Errorf("made again of what was parsed: first difference at %#x", at)
		}
	})
}

// Changing a partition gives the one that is generated with the change.
func TestPartition_editEqualsGenerate(t *testing.T) {
	eachRandom(t, func(t *testing.T, r *rand.Rand, entries []nvsgen.Entry, opts *nvsgen.Options, image []byte) {
		p := mustParse(t, image, opts.Keys)
		want := slices.Clone(entries)
		for range 20 {
			i := r.IntN(len(want))
			e := want[i]
			if e.Value == nil {
				continue
			}
			if r.IntN(3) == 0 {
				if !p.Remove(e.Namespace, e.Key) {
					t.Fatalf("%v is not there", e)
				}
				want[i] = nvsgen.Namespace(e.Namespace)
				continue
			}
			want[i].Value = randomValue(r, 1000)
			if err := p.Set(want[i]); err != nil {
				t.Fatal(err)
			}
		}
		fresh := nvsgen.I16("fresh", "key", -41)
		if err := p.Set(fresh); err != nil {
			t.Fatal(err)
		}
		want = append(want, fresh)
		got, err := p.Image()
		if err != nil {
			t.Fatal(err)
		}
		scratch, err := nvsgen.Generate(want, len(image), opts)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, scratch) {
			t.Errorf("first difference at %#x", firstDifference(got, scratch))
		}
		if diff := diffEntries(keysOnly(want), p.Entries); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

// Damage anywhere is survived, and the image is left alone. A bit of the
// content that is flipped is noticed.
func TestParse_flippedBits(t *testing.T) {
	eachRandom(t, func(t *testing.T, r *rand.Rand, _ []nvsgen.Entry, opts *nvsgen.Options, image []byte) {
		whole := mustParse(t, image, opts.Keys)
		for range 20 {
			damaged := bytes.Clone(image)
			bit := r.IntN(8 * len(damaged))
			damaged[bit/8] ^= 1 << (bit % 8)
			before := bytes.Clone(damaged)
			p, err := parseWith(damaged, opts.Keys)
			if errors.Is(err, nvsgen.ErrWrongKeys) {
				continue // one page only, and its header is damaged
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, damaged) {
				t.Fatal("the image was changed")
			}
			if !cmp.Equal(whole.Entries, p.Entries) && len(p.Problems) == 0 {
				t.Errorf("bit %d of byte %#x is flipped and the entries differ, but no problem is reported", bit%8, bit/8)
			}
		}
	})
}
