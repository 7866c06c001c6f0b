package nvsgen_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/nvsgen"
)

const batchTemplate = "gateway,namespace,\n\nmqtt_user,data,string\nport,data,u16,REPEAT\ncal,namespace,\nmqtt_user,data,hex2bin\n"

func readBatch(template, values, id string) ([]nvsgen.BatchUnit, error) {
	return nvsgen.ReadBatch(strings.NewReader(template), strings.NewReader(values), &nvsgen.BatchOptions{IDColumn: id})
}

func TestReadBatch(t *testing.T) {
	units, err := readBatch(batchTemplate, "serial,mqtt_user,port,mqtt_user\nS1,\"a,b\",1883,01\n\nS2,b,,02\n", "serial")
	if err != nil {
		t.Fatal(err)
	}
	type unit struct {
		ID      string
		Entries []nvsgen.Entry
	}
	var got []unit
	for _, u := range units {
		got = append(got, unit{u.ID, u.Entries})
	}
	want := []unit{
		{"S1", []nvsgen.Entry{nvsgen.String("gateway", "mqtt_user", "a,b"), nvsgen.U16("gateway", "port", 1883), nvsgen.Blob("cal", "mqtt_user", []byte{1})}},
		{"S2", []nvsgen.Entry{nvsgen.String("gateway", "mqtt_user", "b"), nvsgen.U16("gateway", "port", 1883), nvsgen.Blob("cal", "mqtt_user", []byte{2})}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	var table strings.Builder
	if err := units[0].WriteCSV(&table); err != nil {
		t.Fatal(err)
	}
	const wantCSV = "key,type,encoding,value\ngateway,namespace,,\nmqtt_user,data,string,\"a,b\"\nport,data,u16,1883\ncal,namespace,,\nmqtt_user,data,hex2bin,01\n"
	if diff := cmp.Diff(wantCSV, table.String()); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
}

func TestReadBatch_numbersUnits(t *testing.T) {
	units, err := readBatch("n,namespace,\nk,data,u8\n", "k\n7\n8\n", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(units) != 2 || units[0].ID != "1" || units[1].ID != "2" {
		t.Errorf("%d units: %v", len(units), units)
	}
}

func TestReadBatch_refused(t *testing.T) {
	const template = "n,namespace,\nk,data,u8\n"
	for _, tc := range []struct {
		name, template, values, id string
		is                         error
		want                       string
	}{
		{"no such id", template, "k\n1\n", "serial", nvsgen.ErrCSV, "no column serial"},
		{"missing key", template + "l,data,u8\n", "k\n1\n", "", nvsgen.ErrCSV, "key l has no column"},
		{"other order", template + "l,data,u8\n", "l,k\n1,2\n", "", nvsgen.ErrCSV, "order of the template"},
		{"short row", template, "k,x\n1,2\n3\n", "", nvsgen.ErrCSV, "row 3: 1 values for 2 keys"},
		{"no units", template, "k\n", "", nvsgen.ErrCSV, "no unit"},
		{"bad template", "k,data\n", "k\n1\n", "", nvsgen.ErrCSV, "row 1"},
		{"bad value", template, "k\n1\n300\n", "", nvsgen.ErrBadValue, "row 3, key k"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readBatch(tc.template, tc.values, tc.id)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %v with %q", err, tc.is, tc.want)
			}
		})
	}
}
