package nvsgen_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

// seedImages are small partitions of every sort to start fuzzing from.
func seedImages(f *testing.F) (images [][]byte) {
	f.Helper()
	entries := []nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
		nvsgen.U8("gateway", "provisioned", 1),
		nvsgen.Blob("cal", "phy", bytes.Repeat([]byte{7}, 5000)),
		nvsgen.Blob("cal", "none", nil),
		nvsgen.Namespace("empty"),
		nvsgen.I64("n", "i", -1),
	}
	for _, opts := range []nvsgen.Options{{}, {Version: 1}} {
		if opts.Version == 1 {
			entries[2] = nvsgen.Blob("cal", "phy", make([]byte, 1900))
		}
		image, err := nvsgen.Generate(entries, nvsgen.MinSize, &opts)
		if err != nil {
			f.Fatal(err)
		}
		images = append(images, image)
	}
	return images
}

// FuzzParse changes bytes of good partitions. With mend it makes the checksums
// right again, so that what hides behind them is reached too.
func FuzzParse(f *testing.F) {
	images := seedImages(f)
	f.Add(byte(0), []byte{0, 0, 0xFC}, false)
	f.Add(byte(1), []byte{0, 64, 0x42, 1, 2, 3}, true)
	f.Add(byte(0), []byte{16, 0, 0xF8, 0, 33, 0}, true)
	f.Fuzz(func(t *testing.T, which byte, edits []byte, mend bool) {
		image := bytes.Clone(images[int(which)%len(images)])
		for ; len(edits) >= 3; edits = edits[3:] {
			image[int(binary.BigEndian.Uint16(edits))%len(image)] = edits[2]
		}
		if mend {
			mendChecksums(image)
		}
		checkParse(t, image)
	})
}

// checkParse wants that an image is left alone, and that an image made of what
// was read holds the same and is clean.
func checkParse(t *testing.T, image []byte) {
	t.Helper()
	before := bytes.Clone(image)
	p, err := nvsgen.Parse(image)
	if !bytes.Equal(image, before) {
		t.Fatal("the image was changed")
	}
	if err != nil {
		return
	}
	if !p.Untouched && len(p.Problems) == 0 && p.Stats.Used > 0 {
		t.Error("the firmware writes to it, but no problem is reported")
	}
	clean, err := p.Image()
	if err != nil {
		return
	}
	again, err := nvsgen.Parse(clean)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffEntries(keysOnly(p.Rows()), again.Entries); diff != "" {
		t.Errorf("the image made of it differs (-want +got):\n%s", diff)
	}
	if !again.Untouched && again.Refused == nil {
		t.Errorf("firmware would write to the image made of it: %v", again.Problems)
	}
}

// mendChecksums makes the checksums of all pages, of all entries that could be
// a head, and of their data right.
func mendChecksums(image []byte) {
	crc := func(parts ...[]byte) uint32 {
		return crc32.Update(0xFFFFFFFF, crc32.IEEETable, bytes.Join(parts, nil))
	}
	for page := range len(image) / nvsgen.PageSize {
		p := image[page*nvsgen.PageSize:][:nvsgen.PageSize]
		if binary.LittleEndian.Uint32(p) == 0xFFFFFFFF {
			continue
		}
		binary.LittleEndian.PutUint32(p[28:], crc(p[4:28]))
		for i := 0; i < nvsgen.EntriesPerPage; i++ {
			e := p[64+32*i:][:32]
			end := 64 + 32*(i+1) + int(binary.LittleEndian.Uint16(e[24:]))
			switch e[1] {
			case 0x21, 0x41, 0x42:
				if end <= len(p) {
					binary.LittleEndian.PutUint32(e[28:], crc(p[64+32*(i+1):end]))
				}
			case 0xFF:
				continue
			}
			binary.LittleEndian.PutUint32(e[4:], crc(e[:4], e[8:]))
			i += max(0, int(e[2])-1)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("key,type,encoding,value\ngateway,namespace,,\nmqtt_user,data,string,\"a,b\"\n")
	f.Add("# c\nkey,type,encoding,value\r\nn,namespace,,\r\nb,data,base64,AAEC\nh,data,hex2bin,00ff\n")
	f.Add("value,encoding,type,key\n,,namespace,n\n-5,i8,data,k\n1_0,u64,data,l\nx,blob_sz_fill(4;0xff),data,f\n")
	f.Add("key,type,encoding,value\nn,namespace,,\nsta.ssid,data,string,home\nap.ssid,data,string,a\nap.passwd,data,string,b\nap.authmode,data,u8,3\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := nvsgen.ReadCSV(strings.NewReader(text), &nvsgen.CSVOptions{Open: noFile})
		if err != nil {
			return
		}
		image, err := nvsgen.Generate(entries, 0x10000, nil)
		if err != nil {
			return
		}
		p, err := nvsgen.Parse(image)
		if err != nil {
			t.Fatal(err)
		}
		if diff := diffEntries(keysOnly(entries), p.Entries); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if !p.Untouched {
			t.Errorf("firmware would write to it: %v", p.Problems)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(nvsgen.NewKeys().Marshal())
	f.Add(bytes.Repeat([]byte{0xFF}, nvsgen.KeysSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := nvsgen.ParseKeys(b)
		if err != nil {
			return
		}
		if !bytes.Equal(keys.Marshal()[:68], b[:68]) {
			t.Error("what was parsed does not marshal to the same bytes")
		}
	})
}
