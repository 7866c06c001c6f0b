package main

import (
	"strings"
	"testing"

	"tinygo.org/x/espflasher/pkg/nvs"

	"hoptech.co.nz/flashd/nvsgen"
)

// factory is what a station writes into each unit.
var factory = []nvsgen.Entry{
	nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F6"),
	nvsgen.String("gateway", "mqtt_pass", strings.Repeat("0123456789abcdef", 4)),
	nvsgen.U8("gateway", "provisioned", 1),
}

const factorySize = 20 << 10 // bytes, as in ESP-IDF's and Arduino's tables

func BenchmarkGenerate(b *testing.B) {
	entries := otherEntries(factory)
	keys := nvsgen.NewKeys()
	for _, s := range []struct {
		name     string
		generate func() ([]byte, error)
	}{
		{"nvsgen", func() ([]byte, error) { return nvsgen.Generate(factory, factorySize, nil) }},
		{"nvsgen, encrypted", func() ([]byte, error) {
			return nvsgen.Generate(factory, factorySize, &nvsgen.Options{Keys: keys})
		}},
		{"espflasher", func() ([]byte, error) { return nvs.GenerateNVS(entries, factorySize) }},
	} {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.generate(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	image, err := nvsgen.Generate(factory, factorySize, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		name  string
		parse func() error
	}{
		{"nvsgen", func() error { _, err := nvsgen.Parse(image); return err }},
		{"espflasher", func() error { _, err := nvs.ParseNVS(image); return err }},
	} {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.parse(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
