package nvsgen_test

import (
	"strings"
	"testing"

	"hoptech.co.nz/flashd/nvsgen"
)

// factory is what a station writes into each unit.
var factory = []nvsgen.Entry{
	nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
	nvsgen.String("gateway", "mqtt_pass", strings.Repeat("0123456789abcdef", 4)),
	nvsgen.U8("gateway", "provisioned", 1),
}

func BenchmarkGenerate(b *testing.B) {
	for name, opts := range map[string]*nvsgen.Options{"plain": nil, "encrypted": {Keys: nvsgen.NewKeys()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(0x5000)
			for b.Loop() {
				if _, err := nvsgen.Generate(factory, 0x5000, opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	image, err := nvsgen.Generate(factory, 0x5000, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(image)))
	for b.Loop() {
		if _, err := nvsgen.Parse(image); err != nil {
			b.Fatal(err)
		}
	}
}
