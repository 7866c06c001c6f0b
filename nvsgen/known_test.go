package nvsgen_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

// The bytes of a factory partition, put together by hand from the description
// of the format, with the CRCs computed by another program (zlib's crc32 from
// all ones).
func TestGenerate_knownBytes(t *testing.T) {
	image, err := nvsgen.Generate([]nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
		nvsgen.U8("gateway", "provisioned", 1),
		nvsgen.Blob("gateway", "cal", []byte{1, 2, 3}),
	}, 0x5000, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		what   string
		offset int
		hex    string
	}{
		{"header", 0, "feffffff 00000000 fe ffffffffffffffffffffffffffffffffffffff 842dbab9"},
		{"states", 32, "aaea" + strings.Repeat("ff", 30)},
		{"namespace", 64, "00 01 01 ff CRC0 67617465776179000000000000000000 01 ffffffffffffff"},
		{"string", 96, "01 21 02 ff CRC1 6d7174745f7573657200000000000000 0d00 ffff DATA1"},
		{"its data", 128, "413142324333443445354636 00 ffffffffffffffffffffffffffffffffffffff"},
		{"u8", 160, "01 01 01 ff CRC2 70726f766973696f6e65640000000000 01 ffffffffffffff"},
		{"chunk", 192, "01 42 02 00 CRC3 63616c00000000000000000000000000 0300 ffff DATA3"},
		{"its data", 224, "010203 ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"index", 256, "01 48 01 ff CRC4 63616c00000000000000000000000000 03000000 01 00 ffff"},
		{"nothing", 288, strings.Repeat("ff", 0x5000-288)},
	} {
		text := knownCRCs.Replace(want.hex)
		bytesWanted, err := hex.DecodeString(text)
		if err != nil {
			t.Fatalf("%s: %v", want.what, err)
		}
		if got := image[want.offset:][:len(bytesWanted)]; !bytes.Equal(got, bytesWanted) {
			t.Errorf("%s at %d:\n got %x\nwant %x", want.what, want.offset, got, bytesWanted)
		}
	}
}

var knownCRCs = strings.NewReplacer(
	" ", "",
	"CRC0", "24c8cc4b",
	"CRC1", "91b0ddca",
	"CRC2", "00f6ac92",
	"CRC3", "aa194bfd",
	"CRC4", "eb517d56",
	"DATA1", "b1ff559b",
	"DATA3", "f0a60255",
)

// IEEE 1619-2018, annex B, vectors 1, 2 and 3: XTS-AES-128 on units of 32
// bytes. The code is the same for both key sizes.
func TestXTS_standard(t *testing.T) {
	for _, v := range []struct {
		data, tweak string
		number      int
		plain, want string
	}{
		{
			strings.Repeat("00", 16), strings.Repeat("00", 16), 0, strings.Repeat("00", 32),
			"917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e",
		},
		{
			strings.Repeat("11", 16), strings.Repeat("22", 16), 0x3333333333, strings.Repeat("44", 32),
			"c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
		},
		{
			"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0", strings.Repeat("22", 16), 0x3333333333, strings.Repeat("44", 32),
			"af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89",
		},
	} {
		got, err := nvsgen.XTS(unhex(t, v.data), unhex(t, v.tweak), unhex(t, v.plain), v.number)
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(got) != v.want {
			t.Errorf("got  %x\nwant %s", got, v.want)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
