package nvsgen_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/nvsgen"
)

const header = "key,type,encoding,value\n"

func noFile(name string) (io.ReadCloser, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func readCSV(text string) ([]nvsgen.Entry, error) {
	return nvsgen.ReadCSV(strings.NewReader(text), &nvsgen.CSVOptions{
		Open: func(name string) (io.ReadCloser, error) {
			if content, ok := strings.CutPrefix(name, "holds:"); ok {
				return io.NopCloser(strings.NewReader(content)), nil
			}
			return noFile(name)
		},
	})
}

func TestReadCSV(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []nvsgen.Entry
	}{
		{"all encodings", header + "n,namespace,,\na,data,u8,255\nb,data,i8,-128\nc,data,u16,1\nd,data,i16,-1\ne,data,u32,4294967295\n" +
			"f,data,i32,-2147483648\ng,data,u64,18446744073709551615\nh,data,i64,-9223372036854775808\n" +
			"i,data,string,é\nj,data,binary,é\nk,data,hex2bin, 00fF \nl,data,base64,AAEC\n", []nvsgen.Entry{
			nvsgen.U8("n", "a", 255), nvsgen.I8("n", "b", -128), nvsgen.U16("n", "c", 1), nvsgen.I16("n", "d", -1),
			nvsgen.U32("n", "e", 4294967295), nvsgen.I32("n", "f", -2147483648), nvsgen.U64("n", "g", 18446744073709551615),
			nvsgen.I64("n", "h", -9223372036854775808), nvsgen.String("n", "i", "é"), nvsgen.Blob("n", "j", []byte("é")),
			nvsgen.Blob("n", "k", []byte{0, 255}), nvsgen.Blob("n", "l", []byte{0, 1, 2}),
		}},
		{"integers as Python reads them", header + "n,namespace,,\na,data,u8, +0_7 \nb,data,i8,-0\n", []nvsgen.Entry{
			nvsgen.U8("n", "a", 7), nvsgen.I8("n", "b", 0),
		}},
		{"capital encodings", header + "n,namespace,,\na,data,U8,1\nb,data,STRING,x\nc,data,HEX2BIN,0a\n", []nvsgen.Entry{
			nvsgen.U8("n", "a", 1), nvsgen.String("n", "b", "x"), nvsgen.Blob("n", "c", []byte{10}),
		}},
		{"columns in another order, and more of them", "note,value,key,encoding,type\n,,n,,namespace\nx,1,k,u8,data\n", []nvsgen.Entry{
			nvsgen.U8("n", "k", 1),
		}},
		{"short namespace row", header + "n,namespace\nk,data,u8,1\n", []nvsgen.Entry{nvsgen.U8("n", "k", 1)}},
		{"reopened and empty namespaces", header + "a,namespace,,\nb,namespace,,\nk,data,u8,1\na,namespace,,\nk,data,u8,2\nc,namespace,,\n", []nvsgen.Entry{
			nvsgen.Namespace("a"), nvsgen.U8("b", "k", 1), nvsgen.U8("a", "k", 2), nvsgen.Namespace("c"),
		}},
		{"nameless namespace", header + ",namespace,,\n,data,u8,1\n", []nvsgen.Entry{nvsgen.Namespace(""), nvsgen.U8("", "", 1)}},
		{"quotes", header + "n,namespace,,\na,data,string,\"say \"\"hi\"\", twice\"\nb,data,string,6\" pipe\nc,data,string, \"x\"\n", []nvsgen.Entry{
			nvsgen.String("n", "a", `say "hi", twice`), nvsgen.String("n", "b", `6" pipe`), nvsgen.String("n", "c", ` "x"`),
		}},
		{"several lines", header + "n,namespace,,\na,data,string,\"x\r\n#y\n\nz\"\nb,data,u8,1", []nvsgen.Entry{
			nvsgen.String("n", "a", "x\n#y\n\nz"), nvsgen.U8("n", "b", 1),
		}},
		{"comments with quotation marks", "#,\"\n" + header + "n,namespace,,\n# \"a,\"b\na,data,string,#x\n", []nvsgen.Entry{nvsgen.String("n", "a", "#x")}},
		{"files", header + "n,namespace,,\na,file,string,holds:x y\nb,file,binary,holds:x y\nc,file,hex2bin,holds:0a0b \nd,file,u8,holds:7\n", []nvsgen.Entry{
			nvsgen.String("n", "a", "x y"), nvsgen.Blob("n", "b", []byte("x y")), nvsgen.Blob("n", "c", []byte{10, 11}), nvsgen.U8("n", "d", 7),
		}},
		{"fill", header + "n,namespace,,\na,data,blob_fill(4;0xff),xy\nb,data,blob_sz_fill(3;0x00),xy\nc,data,blob_fill(2;0x01),\n", []nvsgen.Entry{
			nvsgen.Blob("n", "a", []byte("xy\xff\xff")), nvsgen.Blob("n", "b", []byte("\x02\x00\x00\x00xy\x00")), nvsgen.Blob("n", "c", []byte{1, 1}),
		}},
		{"only a header", header, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readCSV(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadCSV_refused(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		is         error
		want       string // in the text of the error
	}{
		{"empty file", "", nvsgen.ErrCSV, "begin it with key,type,encoding,value"},
		{"byte order mark", "\uFEFF" + header, nvsgen.ErrCSV, "row 1"},
		{"no header", "n,namespace,,\n", nvsgen.ErrCSV, `no column "key"`},
		{"missing column", header + "n,namespace,,\n\nk,data,string\n", nvsgen.ErrCSV, "row 4, key k"},
		{"unknown type", header + "n,namespace,,\nk,dat,u8,1\n", nvsgen.ErrCSV, "row 3, key k"},
		{"unknown encoding", header + "n,namespace,,\nk,data,float,1\n", nvsgen.ErrCSV, "row 3, key k"},
		{"no namespace", header + "k,data,u8,1\n", nvsgen.ErrNoNamespace, "row 2, key k"},
		{"long key", header + "n,namespace,,\nabcdefghijklmnop,data,u8,1\n", nvsgen.ErrNameTooLong, "the limit is 15"},
		{"long key in bytes", header + "n,namespace,,\néééééééé,data,u8,1\n", nvsgen.ErrNameTooLong, "has 16 bytes"},
		{"long namespace", header + "abcdefghijklmnop,namespace,,\n", nvsgen.ErrNameTooLong, "row 2"},
		{"long string", header + "n,namespace,,\nk,data,string," + strings.Repeat("s", 4000) + "\n", nvsgen.ErrValueTooLong, "the limit is 3999"},
		{"out of range", header + "n,namespace,,\nk,data,u8,256\n", nvsgen.ErrBadValue, "u8 holds 0 to 255"},
		{"below range", header + "n,namespace,,\nk,data,i64,-9223372036854775809\n", nvsgen.ErrBadValue, "i64 holds -9223372036854775808"},
		{"negative unsigned", header + "n,namespace,,\nk,data,u32,-1\n", nvsgen.ErrBadValue, "out of range"},
		{"hexadecimal number", header + "n,namespace,,\nk,data,u8,0x10\n", nvsgen.ErrBadValue, "decimal"},
		{"double underscore", header + "n,namespace,,\nk,data,u8,1__0\n", nvsgen.ErrBadValue, "decimal"},
		{"two signs", header + "n,namespace,,\nk,data,i8,--1\n", nvsgen.ErrBadValue, "decimal"},
		{"odd hex", header + "n,namespace,,\nk,data,hex2bin,abc\n", nvsgen.ErrBadValue, "two for each byte"},
		{"no hex", header + "n,namespace,,\nk,data,hex2bin,zz\n", nvsgen.ErrBadValue, "hexadecimal"},
		{"no base64", header + "n,namespace,,\nk,data,base64,A-_=\n", nvsgen.ErrBadValue, "base64"},
		{"not UTF-8", header + "n,namespace,,\nk,data,string,\xff\n", nvsgen.ErrBadValue, "UTF-8"},
		{"NUL", header + "n,namespace,,\nk,data,string,a\x00b\n", nvsgen.ErrBadValue, "NUL"},
		{"open quote", header + "n,namespace,,\nk,data,string,\"abc\nl,data,u8,1\n", nvsgen.ErrCSV, "row 3"},
		{"text behind quote", header + "n,namespace,,\nk,data,string,\"abc\"d\n", nvsgen.ErrCSV, "row 3"},
		{"file missing", header + "n,namespace,,\nk,file,string,nope\n", fs.ErrNotExist, "row 3, key k"},
		{"filled too far", header + "n,namespace,,\nk,data,blob_fill(2;0x00),abc\n", nvsgen.ErrValueTooLong, "row 3"},
		{"bad fill", header + "n,namespace,,\nk,data,blob_fill(2),a\n", nvsgen.ErrCSV, "blob_fill(LEN;0xHH)"},
		{"huge fill", header + "n,namespace,,\nk,data,blob_fill(4000000000;0x00),a\n", nvsgen.ErrValueTooLong, "limit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readCSV(tc.text)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %v with %q", err, tc.is, tc.want)
			}
		})
	}
}

// A value may be a secret, wherever a slip of the hand has put it.
func TestReadCSV_errorsHideValues(t *testing.T) {
	const secret = "hunter2-hunter2"
	for _, row := range []string{
		"mqtt_pass,data,u8," + secret,
		"mqtt_pass,data,hex2bin," + secret,
		"mqtt_pass,data,base64," + secret,
		"mqtt_pass,data," + secret + ",string",
		"mqtt_pass," + secret + ",string,data",
		"mqtt_pass,data," + secret,
		"mqtt_pass,data,string,\"" + secret,
		"mqtt_pass,data,string,\"" + secret + "\"x",
		"mqtt_pass,data,blob_fill(3;0x00)," + secret,
		"mqtt_pass,data,string," + strings.Repeat(secret, 300),
	} {
		_, err := readCSV(header + "n,namespace,,\n" + row + "\n")
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", row, err)
		}
	}
	printed := fmt.Sprintf("%v %+v", nvsgen.String("n", "k", secret), []nvsgen.Entry{nvsgen.String("n", "k", secret)})
	if strings.Contains(printed, secret) {
		t.Errorf("an entry prints its value: %s", printed)
	}
}

func TestReadCSV_expand(t *testing.T) {
	fill := func(value string) (string, error) {
		if value == "${nothing}" {
			return "", errors.New("no value for it")
		}
		return strings.ReplaceAll(value, "${n}", "42"), nil
	}
	got, err := nvsgen.ReadCSV(strings.NewReader(header+"n,namespace,,\na,data,u8,${n}\nb,data,string,x${n}\n"), &nvsgen.CSVOptions{Expand: fill})
	if err != nil {
		t.Fatal(err)
	}
	want := []nvsgen.Entry{nvsgen.U8("n", "a", 42), nvsgen.String("n", "b", "x42")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	_, err = nvsgen.ReadCSV(strings.NewReader(header+"n,namespace,,\na,data,u8,${nothing}\n"), &nvsgen.CSVOptions{Expand: fill})
	if err == nil || !strings.Contains(err.Error(), "row 3, key a") {
		t.Errorf("%v, want the row and the key", err)
	}
}

func TestReadCSV_wifi(t *testing.T) {
	got, err := readCSV(header + "nvs.net80211,namespace,,\nsta.ssid,data,string,home\nsta.pswd,data,string,pw\nsta.apsw,data,hex2bin,01\n" +
		"ap.ssid,data,string,IEEE\nap.passwd,data,string,password\nap.authmode,data,u8,3\n")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range got {
		keys = append(keys, e.Key)
	}
	want := []string{"sta.ssid", "sta.apinfo", "sta.pmk", "sta.pswd", "sta.apsw", "ap.ssid", "ap.passwd", "ap.pmk_info", "ap.authmode"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	// IEEE 802.11-2020, J.4.2: passphrase "password", SSID "IEEE".
	pmk := unhex(t, "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e")
	if !got[7].Equal(nvsgen.Blob("nvs.net80211", "ap.pmk_info", append(make([]byte, 100), pmk...))) {
		t.Errorf("ap.pmk_info is %x", got[7].Value)
	}
}
