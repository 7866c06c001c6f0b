package nvsgen_test

import (
	"fmt"
	"strings"

	"hoptech.co.nz/flashd/nvsgen"
)

func Example() {
	image, err := nvsgen.Generate([]nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
		nvsgen.U8("gateway", "provisioned", 1),
	}, 0x5000, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := nvsgen.Parse(image)
	if err != nil {
		fmt.Println(err)
		return
	}
	user, _ := p.Lookup("gateway", "mqtt_user")
	fmt.Println(len(image), user)
	// Output: 20480 A1B2C3D4E5F6
}

func ExampleReadCSV() {
	const table = `key,type,encoding,value
gateway,namespace,,
mqtt_user,data,string,${device_id}
provisioned,data,u8,1
`
	entries, err := nvsgen.ReadCSV(strings.NewReader(table), &nvsgen.CSVOptions{
		Expand: func(value string) (string, error) {
			return strings.ReplaceAll(value, "${device_id}", "A1B2C3D4E5F6"), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range entries {
		fmt.Println(e) // never the value: it may be a secret
	}
	// Output:
	// gateway/mqtt_user (string)
	// gateway/provisioned (u8)
}

func ExampleGenerate_refused() {
	_, err := nvsgen.Generate([]nvsgen.Entry{nvsgen.Blob("cal", "table", make([]byte, 12000))}, 0x3000, nil)
	fmt.Println(err)
	// Output: entry 1, cal/table: partition full: the partition of 0x3000 bytes has 2 pages of 126 entries for data, and the values need 4 pages; make it 0x5000 bytes, or store less
}

func ExamplePartition_Set() {
	image, err := nvsgen.Generate([]nvsgen.Entry{
		nvsgen.String("wifi", "ssid", "the customer's"),
		nvsgen.String("gateway", "mqtt_pass", "old"),
	}, 0x5000, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := nvsgen.Parse(image)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Set(nvsgen.String("gateway", "mqtt_pass", "new")); err != nil {
		fmt.Println(err)
		return
	}
	if image, err = p.Image(); err != nil {
		fmt.Println(err)
		return
	}
	p, err = nvsgen.Parse(image)
	if err != nil {
		fmt.Println(err)
		return
	}
	ssid, _ := p.Lookup("wifi", "ssid")
	pass, _ := p.Lookup("gateway", "mqtt_pass")
	fmt.Println(ssid, "/", pass)
	// Output: the customer's / new
}

func ExampleParseEncrypted() {
	keys := nvsgen.NewKeys() // keys.Marshal() goes into the nvs_keys partition
	image, err := nvsgen.Generate([]nvsgen.Entry{nvsgen.U32("n", "k", 7)}, 0x3000, &nvsgen.Options{Keys: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = nvsgen.ParseEncrypted(image, nvsgen.NewKeys())
	fmt.Println(err)
	p, err := nvsgen.ParseEncrypted(image, keys)
	if err != nil {
		fmt.Println(err)
		return
	}
	value, _ := p.Lookup("n", "k")
	fmt.Println(value)
	// Output:
	// wrong keys: none of the entries can be read with these keys; take the keys that the partition was made with
	// 7
}
