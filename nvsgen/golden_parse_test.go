package nvsgen_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/nvsgen"
)

// seen is what Espressif's code says of an image.
type seen struct {
	ReadOnly bool `json:"readonly"`
	Pages    []struct {
		Page                            int
		State                           string
		Seq                             uint32
		Version                         string
		Written, Erased, Empty, Illegal int
		Blank                           bool
		CRCOK                           *bool `json:"crc_ok"`
	} `json:"pages_before_init"`
	Init struct {
		Err     string
		Changed bool
	}
	Stats struct {
		Used       int `json:"used_entries"`
		Free       int `json:"free_entries"`
		Available  int `json:"available_entries"`
		Total      int `json:"total_entries"`
		Namespaces int `json:"namespace_count"`
	}
	Namespaces []struct {
		Name  string
		Index int
		Used  int `json:"used_entries"`
	}
	Entries []struct {
		NS, Key, Type, Err, Hex string
		Value                   json.RawMessage
	}
}

func (s seen) opened() bool { return s.Init.Err == "ESP_OK" }

// lines are the entries that the firmware could read, one a line.
func (s seen) lines() (lines []string) {
	for _, e := range s.Entries {
		if e.Err != "" {
			continue
		}
		value := string(e.Value)
		switch e.Type {
		case "str", "blob", "blob_v1":
			value = e.Hex
		case "float":
			value = rounded(value, 32)
		case "double":
			value = rounded(value, 64)
		}
		lines = append(lines, fmt.Sprintf("%s/%s %s %s", e.NS, e.Key, strings.TrimSuffix(e.Type, "_v1"), value))
	}
	return lines
}

func rounded(number string, bits int) string {
	f, err := strconv.ParseFloat(number, bits)
	if err != nil {
		return err.Error()
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

// linesOf are entries in the same form.
func linesOf(entries []nvsgen.Entry) (lines []string) {
	for _, e := range entries {
		kind, value := e.Value.Type().String(), ""
		switch v := e.Value.(type) {
		case nvsgen.Text:
			kind, value = "str", hex.EncodeToString([]byte(v))
		case nvsgen.Bytes:
			value = hex.EncodeToString(v)
		case nvsgen.Float:
			value = strconv.FormatFloat(float64(v), 'g', -1, 32)
		default:
			value = fmt.Sprint(v)
		}
		lines = append(lines, fmt.Sprintf("%s/%s %s %s", e.Namespace, e.Key, kind, value))
	}
	return lines
}

func TestGolden_parse(t *testing.T) {
	for _, v := range loadVectors(t) {
		text := v.file(t, ".json")
		if text == nil {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			var want seen
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			image, keys := v.file(t, ".bin"), v.keysOf(t)
			before := bytes.Clone(image)
			p, err := parseWith(image, keys)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(image, before) {
				t.Error("the image was changed")
			}
			comparePages(t, want, p)
			compareContent(t, want, p)
			compareRecovery(t, v, image, keys)
			checkImage(t, p, keys)
		})
	}
}

func parseWith(image []byte, keys *nvsgen.Keys) (*nvsgen.Partition, error) {
	if keys != nil {
		return nvsgen.ParseEncrypted(image, keys)
	}
	return nvsgen.Parse(image)
}

func comparePages(t *testing.T, want seen, p *nvsgen.Partition) {
	t.Helper()
	if len(p.Pages) != len(want.Pages) {
		t.Fatalf("%d pages, want %d", len(p.Pages), len(want.Pages))
	}
	for i, w := range want.Pages {
		got, state := p.Pages[i], strings.ToLower(w.State)
		switch {
		case w.Blank:
			state = "blank"
		case w.State == "UNINITIALIZED", w.CRCOK != nil && !*w.CRCOK:
			state = "corrupt"
		}
		if string(got.State) != state {
			t.Errorf("page %d is %s, want %s", i, got.State, state)
		}
		if w.Blank || state == "corrupt" {
			continue
		}
		if got.Seq != w.Seq || got.Written != w.Written || got.Erased != w.Erased || got.Empty != w.Empty || got.Illegal != w.Illegal {
			t.Errorf("page %d: %+v, want %+v", i, got, w)
		}
	}
}

func compareContent(t *testing.T, want seen, p *nvsgen.Partition) {
	t.Helper()
	switch {
	case want.ReadOnly:
		// The reader opened it so; a plain open may be refused.
	case want.opened() != (p.Refused == nil):
		t.Errorf("refused: %v, firmware says %s", p.Refused, want.Init.Err)
	case p.Untouched != (want.opened() && !want.Init.Changed):
		t.Errorf("untouched: %v, but the firmware's writing: %v", p.Untouched, want.Init.Changed)
	}
	if want.Init.Changed && len(p.Problems) == 0 {
		t.Error("the firmware repairs the partition, but no problem is reported")
	}
	if !want.opened() {
		return
	}
	if diff := cmp.Diff(want.lines(), linesOf(p.Entries)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if got := nvsgen.Stats(want.Stats); got != p.Stats {
		t.Errorf("stats %+v, want %+v", p.Stats, got)
	}
	var names []nvsgen.NamespaceInfo
	for _, n := range want.Namespaces {
		names = append(names, nvsgen.NamespaceInfo(n))
	}
	if diff := cmp.Diff(names, p.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	for _, e := range want.Entries {
		if e.Err != "" && len(p.Problems) == 0 {
			t.Errorf("%s/%s cannot be read, but no problem is reported", e.NS, e.Key)
		}
	}
}

// compareRecovery compares what opening does to the flash.
func compareRecovery(t *testing.T, v vector, image []byte, keys *nvsgen.Keys) {
	t.Helper()
	want := v.file(t, ".recovered.bin")
	if want == nil {
		return
	}
	if at := firstDifference(nvsgen.Recovered(image, keys), want); at >= 0 {
		t.Errorf("after opening, the first difference is at %#x", at)
	}
}

// checkImage wants a partition without a change to be clean and to hold the
// same.
func checkImage(t *testing.T, p *nvsgen.Partition, keys *nvsgen.Keys) {
	t.Helper()
	if p.Refused != nil && len(p.Entries) == 0 {
		return
	}
	image, err := p.Image()
	if len(p.Namespaces) > nvsgen.MaxNamespaces {
		if !errors.Is(err, nvsgen.ErrTooManyNamespaces) {
			t.Errorf("image: %v, want %v", err, nvsgen.ErrTooManyNamespaces)
		}
		return
	}
	if err != nil {
		t.Fatalf("image: %v", err)
	}
	again, err := parseWith(image, keys)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Rows(), again.Rows()); diff != "" {
		t.Errorf("the image made of it differs (-want +got):\n%s", diff)
	}
	if !again.Untouched && p.Refused == nil {
		t.Errorf("firmware would write to the image made of it: %v", again.Problems)
	}
}

// The cases enc_factory.nokeys and .wrongkeys: firmware erases such a
// partition, so it has to be refused before it is written.
func TestGolden_wrongKeys(t *testing.T) {
	for _, v := range loadVectors(t) {
		if v.keyFile == "" || v.file(t, ".bin") == nil {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			image := v.file(t, ".bin")
			p, err := nvsgen.Parse(image)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Entries) != 0 || len(p.Problems) == 0 || p.Untouched {
				t.Errorf("without keys: %d entries, problems %v", len(p.Entries), p.Problems)
			}
			if _, err := p.Image(); err == nil {
				t.Error("an image was made of a partition that could not be read")
			}
			if _, err := nvsgen.ParseEncrypted(image, nvsgen.NewKeys()); err == nil {
				t.Error("wrong keys accepted")
			}
		})
	}
}

func TestGolden_badKeys(t *testing.T) {
	dir := vectorDir(t)
	bad, err := filepath.Glob(filepath.Join(dir, "keys_b[al]*.bin"))
	if err != nil || len(bad) == 0 {
		t.Fatal("no bad keys in the folder", err)
	}
	for _, name := range bad {
		b := vector{dir: dir}.readFile(t, filepath.Base(name))
		if _, err := nvsgen.ParseKeys(b); err == nil {
			t.Errorf("%s accepted", filepath.Base(name))
		}
	}
}
