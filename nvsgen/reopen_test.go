package nvsgen_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

// Two pages may have one number without being copies of each other: the firmware
// reads both, and a rework keeps what is in both.
func TestReopen_twoPagesOfOneNumber(t *testing.T) {
	var entries []nvsgen.Entry
	for i := range 200 {
		entries = append(entries, nvsgen.U8("gateway", fmt.Sprintf("k%03d", i), uint8(i)))
	}
	image, err := nvsgen.Generate(entries, 0x4000, nil)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(image[nvsgen.PageSize+4:], 0) // the second page becomes another first
	mendChecksums(image)
	p, err := nvsgen.Reopen(image, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Entries) != len(entries) {
		t.Errorf("%d of %d keys are left", len(p.Entries), len(entries))
	}
	checkWrites(t, rand.New(rand.NewPCG(1, 1)), image, nil, []nvsgen.Entry{nvsgen.U8("gateway", "k007", 77)})
	checkWrites(t, rand.New(rand.NewPCG(1, 1)), image, nil, []nvsgen.Entry{nvsgen.U8("gateway", "k199", 77)})
}

// However many pages have one number, they are read once or twice, not each with
// each other.
func TestReopen_allPagesOfOneNumber(t *testing.T) {
	const pages = 64
	image := make([]byte, 0, pages*nvsgen.PageSize)
	one, err := nvsgen.Generate([]nvsgen.Entry{nvsgen.U8("gateway", "provisioned", 1)}, 0x3000, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range pages {
		image = append(image, one[:nvsgen.PageSize]...)
	}
	p, err := nvsgen.Reopen(image, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Lookup("gateway", "provisioned"); !ok {
		t.Error("the key is gone")
	}
}
