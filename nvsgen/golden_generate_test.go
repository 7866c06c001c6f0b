package nvsgen_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/nvsgen"
)

// generate does what the reference generator was called to do.
func (v vector) generate(t *testing.T) ([]nvsgen.Entry, []byte, error) {
	entries, err := nvsgen.ReadCSV(bytes.NewReader(v.file(t, ".csv")), &nvsgen.CSVOptions{
		Open: func(name string) (io.ReadCloser, error) { return os.Open(filepath.Join(v.dir, name)) },
	})
	if err != nil {
		return nil, nil, err
	}
	image, err := nvsgen.Generate(entries, v.size, &nvsgen.Options{Version: v.version, Keys: v.mustKeys(t)})
	return entries, image, err
}

// corrected are the cases where the reference generator is wrong: what a
// right one does, as the index says it.
var corrected = map[string]func(t *testing.T, image []byte, err error){
	"ns_255_broken":       refused,
	"ns_missing":          refused,
	"key_dup":             refused,
	"key_dup_page2":       refused,
	"key_utf8_16b_broken": refused,
	"csv_STRING_nonul":    holds(nvsgen.String("n", "k", "abc")),
	"key_utf8_bytes":      holds(nvsgen.U8("n", "ééééééé", 1), nvsgen.U8("n", "k", 2)),
	"ns_reopen_bug":       holds(nvsgen.U8("a", "k1", 1), nvsgen.U8("b", "k2", 2), nvsgen.U8("a", "k3", 3)),
	"str_3968":            stringOf("big", 3968),
	"str_3999":            stringOf("big", 3999),
}

func refused(t *testing.T, _ []byte, err error) {
	if err == nil {
		t.Error("accepted, and should be refused")
	}
}

func holds(want ...nvsgen.Entry) func(*testing.T, []byte, error) {
	return func(t *testing.T, image []byte, err error) {
		p := reopen(t, image, err)
		if diff := cmp.Diff(want, p.Entries); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	}
}

func stringOf(key string, n int) func(*testing.T, []byte, error) {
	return func(t *testing.T, image []byte, err error) {
		p := reopen(t, image, err)
		for _, e := range p.Entries {
			if s, ok := e.Value.(nvsgen.Text); ok && e.Key == key && len(s) == n {
				return
			}
		}
		t.Errorf("no string %s of %d bytes among %v", key, n, p.Entries)
	}
}

// reopen parses an image that has to be in order.
func reopen(t *testing.T, image []byte, err error) *nvsgen.Partition {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := nvsgen.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Untouched || len(p.Problems) > 0 {
		t.Errorf("firmware would write to it: %v", p.Problems)
	}
	return p
}

func TestGolden_generate(t *testing.T) {
	for _, v := range loadVectors(t) {
		if v.sizeText == "" || v.has("nvsgen-v4.4.8.sh") {
			continue // not made by the generator of today
		}
		t.Run(v.name, func(t *testing.T) {
			_, image, err := v.generate(t)
			if check, ok := corrected[v.name]; ok {
				check(t, image, err)
				return
			}
			want := v.file(t, ".bin")
			if want == nil {
				checkRefusal(t, v, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if at := firstDifference(image, want); at >= 0 {
				t.Fatalf("%d bytes, want %d; the first that differs is at %#x (page %d, entry %d)",
					len(image), len(want), at, at/nvsgen.PageSize, (at%nvsgen.PageSize-64)/nvsgen.EntrySize)
			}
		})
	}
}

// checkRefusal wants an error of one line that names the row, where there is
// one to name, and no value.
func checkRefusal(t *testing.T, v vector, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted, but the reference generator refuses it")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
	if !strings.HasPrefix(v.name, "size_") && !strings.Contains(err.Error(), "row ") {
		t.Errorf("%q names no row", err)
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

func TestGolden_decrypt(t *testing.T) {
	tested := 0
	for _, v := range loadVectors(t) {
		plain := v.file(t, ".plain.bin")
		if plain == nil {
			continue
		}
		tested++
		t.Run(v.name, func(t *testing.T) {
			image := v.file(t, ".bin")
			keys := v.mustKeys(t)
			got, err := nvsgen.Decrypt(image, keys)
			if err != nil {
				t.Fatal(err)
			}
			if at := firstDifference(got, plain); at >= 0 {
				t.Errorf("decrypted: first difference at %#x", at)
			}
			got, err = nvsgen.Encrypt(plain, keys)
			if err != nil {
				t.Fatal(err)
			}
			if at := firstDifference(got, image); at >= 0 {
				t.Errorf("encrypted: first difference at %#x", at)
			}
		})
	}
	if tested == 0 {
		t.Error("no encrypted case in the folder")
	}
}
