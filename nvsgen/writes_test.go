package nvsgen_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

// valuesOf returns all keys with what they hold.
func valuesOf(p *nvsgen.Partition) map[string]nvsgen.Value {
	values := map[string]nvsgen.Value{}
	for _, e := range p.Entries {
		values[e.Namespace+"/"+e.Key], _ = p.Lookup(e.Namespace, e.Key)
	}
	return values
}

func equal(a, b nvsgen.Value) bool { return nvsgen.Entry{Value: a}.Equal(nvsgen.Entry{Value: b}) }

func apply(image []byte, writes ...nvsgen.PageWrite) []byte {
	image = bytes.Clone(image)
	for _, w := range writes {
		copy(image[w.Page*nvsgen.PageSize:], w.Data)
	}
	return image
}

// change sets entries in an image that may have been cut off, and returns what
// to write.
func change(t *testing.T, image []byte, keys *nvsgen.Keys, set []nvsgen.Entry) (writes []nvsgen.PageWrite, safe bool, err error) {
	t.Helper()
	p, err := nvsgen.Reopen(image, keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range set {
		if err := p.Set(e); err != nil {
			t.Fatal(err)
		}
	}
	return p.Writes()
}

// checkWrites wants that the writes make exactly the changes, cleanly, and that a
// power cut at no moment of them loses anything else.
func checkWrites(t *testing.T, r *rand.Rand, image []byte, keys *nvsgen.Keys, set []nvsgen.Entry) {
	t.Helper()
	before := valuesOf(mustParse(t, image, keys))
	writes, safe, err := change(t, image, keys, set)
	if errors.Is(err, nvsgen.ErrFull) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]nvsgen.Value{}
	kept := map[string]nvsgen.Value{}
	for k, v := range before {
		want[k], kept[k] = v, v
	}
	for _, e := range set {
		want[e.Namespace+"/"+e.Key] = e.Value
		delete(kept, e.Namespace+"/"+e.Key)
	}
	checkClean(t, apply(image, writes...), keys, want)
	if !safe {
		return
	}
	for n, w := range writes {
		for _, cut := range some(r, cuts(r, apply(image, writes[:n]...), w)) {
			again, err := nvsgen.Reopen(cut, keys)
			if err != nil {
				t.Fatalf("cut off in write %d: %v", n, err)
			}
			got := valuesOf(again)
			for k, v := range kept {
				if !equal(v, got[k]) {
					t.Fatalf("cut off in write %d of %d: key %s is %.60q, want %.60q", n, len(writes), k, got[k], v)
				}
			}
			rest, _, err := change(t, cut, keys, set)
			if err != nil {
				t.Fatalf("begun again after write %d: %v", n, err)
			}
			checkClean(t, apply(cut, rest...), keys, want)
		}
	}
}

func checkClean(t *testing.T, image []byte, keys *nvsgen.Keys, want map[string]nvsgen.Value) {
	t.Helper()
	p := mustParse(t, image, keys)
	if !p.Untouched || len(p.Problems) > 0 {
		t.Fatalf("firmware would write to it: %v", p.Problems)
	}
	got := valuesOf(p)
	for k, v := range want {
		if !equal(v, got[k]) {
			t.Fatalf("key %s is %.60q, want %.60q", k, got[k], v)
		}
	}
	if len(p.Entries) != len(want) {
		t.Fatalf("%d entries for %d keys", len(p.Entries), len(want))
	}
}

// cuts returns what a power cut while a page is erased or programmed may leave.
func cuts(r *rand.Rand, image []byte, w nvsgen.PageWrite) (all [][]byte) {
	at := w.Page * nvsgen.PageSize
	erased := bytes.Clone(image)
	for i := range nvsgen.PageSize {
		erased[at+i] |= byte(r.Uint32())
	}
	all = append(all, erased)
	for _, n := range []int{0, 16, 32, 40, 64, 96, 256, 32 * r.IntN(128), 512 * r.IntN(8), 4064, 4096} {
		part := bytes.Clone(image)
		for i := range nvsgen.PageSize {
			part[at+i] = 0xFF
		}
		copy(part[at:], w.Data[:n])
		all = append(all, part)
	}
	return all
}

// some chooses a few of many, so that all are seen in many tests.
func some(r *rand.Rand, all [][]byte) [][]byte {
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:4]
}

// What a rework does to every aged, cut off or damaged partition of the folder.
func TestGolden_writes(t *testing.T) {
	tested := 0
	for _, v := range loadVectors(t) {
		if v.file(t, ".script") == nil {
			continue
		}
		tested++
		t.Run(v.name, func(t *testing.T) {
			image, keys := v.file(t, ".bin"), v.keysOf(t)
			checkWrites(t, rand.New(rand.NewPCG(1, 1)), image, keys, []nvsgen.Entry{
				nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
				nvsgen.String("gateway", "mqtt_pass", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
				nvsgen.U8("gateway", "provisioned", 1),
			})
		})
	}
	if tested == 0 {
		t.Error("no aged case in the folder")
	}
}

// Random partitions, changed again and again, in place, to other sizes and types,
// with new keys and in new namespaces, until they are full.
func TestPartition_Writes(t *testing.T) {
	inPlace := 0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 2))
		opts := &nvsgen.Options{Version: 1 + int(seed%2)}
		if seed%4 < 2 {
			opts.Keys = nvsgen.NewKeys()
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			entries := randomEntries(r, opts.Version)
			image, err := nvsgen.Generate(entries, 0x6000, opts)
			if err != nil {
				t.Skip("too much for the partition") // not for the test: another seed has less
			}
			known := keysOnly(entries)
			for round := range 4 {
				set := randomChanges(r, known, opts.Version, round)
				checkWrites(t, r, image, opts.Keys, set)
				writes, safe, err := change(t, image, opts.Keys, set)
				if err != nil {
					break
				}
				if safe {
					inPlace++
				}
				image = apply(image, writes...)
				known = keysOnly(mustParse(t, image, opts.Keys).Rows())
			}
		})
	}
	if inPlace < 15 {
		t.Errorf("only %d changes were made page by page", inPlace)
	}
}

func randomChanges(r *rand.Rand, known []nvsgen.Entry, version, round int) (set []nvsgen.Entry) {
	longest := 4200
	if version == 1 {
		longest = nvsgen.MaxLenV1
	}
	for i := range 1 + r.IntN(6) {
		e := known[r.IntN(len(known))]
		if slices.ContainsFunc(set, func(o nvsgen.Entry) bool { return o.Namespace == e.Namespace && o.Key == e.Key }) {
			continue
		}
		switch r.IntN(4) {
		case 0:
			e.Value = randomValue(r, longest)
		case 1:
			e = nvsgen.Entry{Namespace: fmt.Sprintf("new%d", r.IntN(4)), Key: fmt.Sprintf("r%d-%d", round, i), Value: randomValue(r, longest)}
		default:
			e.Value = sameSize(r, e.Value)
		}
		set = append(set, e)
	}
	return set
}

// sameSize returns another value of the type and length of v.
func sameSize(r *rand.Rand, v nvsgen.Value) nvsgen.Value {
	switch v := v.(type) {
	case nvsgen.Text:
		return nvsgen.Text(bytes.Repeat([]byte{byte('a' + r.IntN(26))}, len(v)))
	case nvsgen.Bytes:
		return nvsgen.Bytes(randomBytes(r, len(v)))
	case nvsgen.Uint8:
		return nvsgen.Uint8(r.Uint32())
	default:
		return v
	}
}

// Renewed credentials touch the page that they are in and the blank one that it
// moves to.
func TestPartition_Writes_fewPages(t *testing.T) {
	entries := []nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
		nvsgen.String("gateway", "mqtt_pass", "one password"),
	}
	for i := range 20 {
		entries = append(entries, nvsgen.Blob("cal", fmt.Sprintf("phy%d", i), bytes.Repeat([]byte{7}, 300)))
	}
	image, err := nvsgen.Generate(entries, 0x5000, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		set  []nvsgen.Entry
		want int
	}{
		{nil, 0},
		{entries[:2], 0},
		{[]nvsgen.Entry{nvsgen.String("gateway", "mqtt_pass", "two password")}, 2},
		{[]nvsgen.Entry{nvsgen.Blob("cal", "phy19", bytes.Repeat([]byte{8}, 300))}, 2},
		{[]nvsgen.Entry{nvsgen.String("gateway", "mqtt_pass", "two password"), nvsgen.U8("gateway", "provisioned", 1)}, 3},
	} {
		writes, safe, err := change(t, image, nil, tc.set)
		if err != nil || !safe {
			t.Errorf("set %v: safe %t, error %v", tc.set, safe, err)
		}
		if len(writes) != tc.want {
			t.Errorf("set %v: %d pages are written, want %d", tc.set, len(writes), tc.want)
		}
	}
}

func TestPartition_Writes_removes(t *testing.T) {
	image, err := nvsgen.Generate([]nvsgen.Entry{nvsgen.U8("n", "k", 1), nvsgen.Blob("m", "k", make([]byte, 5000))}, 0x5000, nil)
	p := reopen(t, image, err)
	p.Remove("m", "k")
	writes, safe, err := p.Writes()
	if err != nil || !safe {
		t.Fatalf("safe %t, error %v", safe, err)
	}
	checkClean(t, apply(image, writes...), nil, map[string]nvsgen.Value{"n/k": nvsgen.Uint8(1)})
}

// A partition without a blank page is packed anew where that makes one, and
// refused where it does not.
func TestPartition_Writes_noBlankPage(t *testing.T) {
	text := func(i int) nvsgen.Entry {
		return nvsgen.String("n", fmt.Sprint("s", i), string(bytes.Repeat([]byte{'x'}, 1000)))
	}
	fits := []nvsgen.Entry{text(0), text(1), text(2), text(3), text(4)}
	image, err := nvsgen.Generate(fits, 0x3000, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := change(t, image, nil, []nvsgen.Entry{text(5), text(6), text(7), text(8)}); !errors.Is(err, nvsgen.ErrFull) {
		t.Errorf("too much: %v, want %v", err, nvsgen.ErrFull)
	}
	// The blank page taken by a second copy of the first.
	copy(image[2*nvsgen.PageSize:], image[:nvsgen.PageSize])
	image[2*nvsgen.PageSize+4] = 9 // its number
	mendChecksums(image)
	if p, err := nvsgen.Parse(image); err != nil || !errors.Is(p.Refused, nvsgen.ErrNoFreePage) {
		t.Fatalf("refused with %v, %v", p.Refused, err)
	}
	want := valuesOf(mustParse(t, image, nil))
	set := nvsgen.U8("n", "fresh", 1)
	want["n/fresh"] = set.Value
	writes, safe, err := change(t, image, nil, []nvsgen.Entry{set})
	if err != nil || safe {
		t.Fatalf("safe %t, error %v", safe, err)
	}
	checkClean(t, apply(image, writes...), nil, want)

	// Nor is one written that the firmware could only read.
	var full []nvsgen.Entry
	for i := range 300 {
		full = append(full, nvsgen.U8("n", fmt.Sprint("k", i), 1))
	}
	image, err = nvsgen.Generate(full, 0x3000, &nvsgen.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := change(t, image, nil, full[:1]); err == nil {
		t.Error("a partition is written that has no blank page")
	}
}

func FuzzWrites(f *testing.F) {
	images := seedImages(f)
	f.Add(byte(0), []byte{0, 0, 0xFC}, false, uint64(1))
	f.Add(byte(0), []byte{16, 0, 0xF8, 0, 33, 0}, true, uint64(2))
	f.Fuzz(func(t *testing.T, which byte, edits []byte, mend bool, seed uint64) {
		image := bytes.Clone(images[int(which)%len(images)])
		for ; len(edits) >= 3; edits = edits[3:] {
			image[(int(edits[0])<<8|int(edits[1]))%len(image)] = edits[2]
		}
		if mend {
			mendChecksums(image)
		}
		p, err := nvsgen.Reopen(image, nil)
		if err != nil || p.Refused != nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 3))
		set := nvsgen.String("gateway", "mqtt_user", string(bytes.Repeat([]byte{'u'}, r.IntN(300))))
		if err := p.Set(set); err != nil {
			t.Fatal(err)
		}
		writes, _, err := p.Writes()
		if err != nil {
			return
		}
		after, err := nvsgen.Parse(apply(image, writes...))
		if err != nil {
			t.Fatal(err)
		}
		if after.Refused == nil && !after.Untouched {
			t.Errorf("firmware would write to it: %v", after.Problems)
		}
		if diff := diffEntries(keysOnly(p.Rows()), keysOnly(after.Rows())); diff != "" && !sameKeys(p, after) {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
}

func sameKeys(a, b *nvsgen.Partition) bool { return len(nvsgen.Diff(a, b)) == 0 }
