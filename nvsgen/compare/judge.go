package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/nvsgen"
)

// A verdict says how a package did on a case.
type verdict struct {
	grade grade
	text  string // what is wrong; "" if nothing
}

type grade int

// The grades, the worse the later.
const (
	right   grade = iota
	differs       // the firmware reads the same, but the bytes are others
	missing       // the package cannot do it and does not say that it can
	wrong
)

var grades = []string{right: "right", differs: "same content, other bytes", missing: "not there", wrong: "wrong"}

// mended are cases that the reference generator gets wrong (see INDEX.md), and
// whether a right one refuses them.
var mended = map[string]bool{
	"ns_255_broken": true, "ns_missing": true, "key_dup": true, "key_dup_page2": true, "key_utf8_16b_broken": true,
	"csv_STRING_nonul": false, "key_utf8_bytes": false, "ns_reopen_bug": false, "str_3968": false, "str_3999": false,
}

// rounds is how often each case is generated: a package that goes through a
// map makes other bytes each time.
const rounds = 40

// judgeGenerate has a package make a partition and returns its worst result.
// golden is nil where it has to be refused.
func judgeGenerate(s subject, v vector, r request, golden []byte) verdict {
	worst := verdict{}
	images := map[string]bool{}
	for range rounds {
		image, err := s.generate(r)
		got := judgeImage(v, r, golden, image, err)
		if got.grade > worst.grade || got.grade == worst.grade && got.text > worst.text {
			worst = got
		}
		images[string(image)] = true
	}
	if len(images) > 1 {
		worst.text = strings.TrimPrefix(worst.text+"; other bytes each time", "; ")
	}
	return worst
}

func judgeImage(v vector, r request, golden, image []byte, err error) verdict {
	refuses, isMended := mended[v.name]
	switch refuses = refuses || golden == nil && !isMended; {
	case errors.Is(err, errPanic):
		return verdict{wrong, err.Error()}
	case errors.Is(err, errMissing):
		return verdict{missing, err.Error()}
	case refuses && err != nil:
		return verdict{}
	case refuses:
		return verdict{wrong, "accepts it; " + firmwareSays(r, image)}
	case err != nil:
		return verdict{wrong, "refuses it: " + err.Error()}
	case !isMended && bytes.Equal(image, golden):
		return verdict{}
	}
	switch says := firmwareSays(r, image); {
	case says != "":
		return verdict{wrong, says}
	case isMended:
		return verdict{}
	default:
		return verdict{differs, layoutDifference(image, golden)}
	}
}

// layoutDifference says what is not where the firmware would have put it.
func layoutDifference(image, golden []byte) string {
	got, err := nvsgen.Parse(image)
	want, err2 := nvsgen.Parse(golden)
	if err != nil || err2 != nil {
		return "other bytes"
	}
	if len(got.Pages) != len(want.Pages) {
		return fmt.Sprintf("%d pages, not %d", len(got.Pages), len(want.Pages))
	}
	for i, w := range want.Pages {
		switch g := got.Pages[i]; {
		case g.State != w.State:
			return fmt.Sprintf("page %d is %s, not %s", i, g.State, w.State)
		case g.Written != w.Written:
			return fmt.Sprintf("page %d has %d entries, not %d", i, g.Written, w.Written)
		}
	}
	return "entries of other types, or in another order"
}

// firmwareSays tells what is wrong with an image for the firmware; "" is
// nothing. The reader is nvsgen's, which reads all vectors as the firmware does.
func firmwareSays(r request, image []byte) string {
	p, err := nvsgen.Parse(image)
	if r.keys != nil {
		p, err = nvsgen.ParseEncrypted(image, r.keys)
	}
	if err != nil {
		return err.Error()
	}
	if p.Refused != nil {
		return "the firmware refuses the partition: " + p.Refused.Error()
	}
	keys, readable := 0, 0
	for _, e := range r.entries {
		if e.Value == nil {
			continue
		}
		keys++
		if got, ok := p.Lookup(e.Namespace, e.Key); ok && same(got, e.Value) {
			readable++
		}
	}
	switch {
	case readable < keys:
		return fmt.Sprintf("the firmware reads %d of %d keys", readable, keys)
	case len(p.Entries) != keys:
		return fmt.Sprintf("the firmware reads %d keys and not %d", len(p.Entries), keys)
	case !p.Untouched:
		return "the firmware repairs the partition when it opens it"
	}
	return ""
}

func same(a, b nvsgen.Value) bool { return fmt.Sprintf("%T %[1]v", a) == fmt.Sprintf("%T %[1]v", b) }

// judgeParse has a package read an image and compares what it returns, in any
// order, with what Espressif's code read. An error that the firmware does not
// have is wrong, and so is content where the firmware refuses the partition.
func judgeParse(s subject, image []byte, keys *nvsgen.Keys, want *seen) verdict {
	got, err := s.parse(image, keys)
	if want.ReadOnly && errors.Is(err, nvsgen.ErrNoFreePage) {
		err = nil // that is what the firmware says to a plain open
	}
	opens := want.Init.Err == "ESP_OK"
	switch {
	case errors.Is(err, errPanic):
		return verdict{wrong, err.Error()}
	case errors.Is(err, errMissing):
		return verdict{missing, err.Error()}
	case err != nil && !opens:
		return verdict{}
	case err != nil:
		return verdict{wrong, "refuses it: " + err.Error()}
	case !opens:
		return verdict{wrong, fmt.Sprintf("returns %d entries; the firmware refuses the partition (%s)", len(got), want.Init.Err)}
	}
	lost, extra := difference(want.lines(), got), difference(got, want.lines())
	switch {
	case lost > 0 && extra > 0:
		return verdict{wrong, fmt.Sprintf("entries missing: %d, wrong ones: %d", lost, extra)}
	case lost > 0:
		return verdict{wrong, fmt.Sprintf("entries missing: %d", lost)}
	case extra > 0:
		return verdict{wrong, fmt.Sprintf("entries that the firmware does not see: %d", extra)}
	}
	return verdict{}
}

// difference counts what is in a and not in b.
func difference(a, b []string) (n int) {
	left := slices.Clone(b)
	for _, line := range a {
		if i := slices.Index(left, line); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		n++
	}
	return n
}
