package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"tinygo.org/x/espflasher/pkg/nvs"

	"hoptech.co.nz/flashd/nvsgen"
)

// A subject is a package that makes and reads partitions.
type subject struct {
	name     string
	generate func(request) ([]byte, error)
	parse    func(image []byte, keys *nvsgen.Keys) ([]string, error) // entries as entryLine writes them
}

// request is what a partition is to be made of.
type request struct {
	entries []nvsgen.Entry
	size    int // bytes
	version int // of the pages
	keys    *nvsgen.Keys
}

// errMissing is returned when a package has no such feature at all.
var errMissing = errors.New("not there")

var subjects = []subject{
	{"nvsgen", ownGenerate, ownParse},
	{"espflasher", otherGenerate, otherParse},
}

func ownGenerate(r request) ([]byte, error) {
	return nvsgen.Generate(r.entries, r.size, &nvsgen.Options{Version: r.version, Keys: r.keys})
}

func ownParse(image []byte, keys *nvsgen.Keys) ([]string, error) {
	p, err := nvsgen.Parse(image)
	if keys != nil {
		p, err = nvsgen.ParseEncrypted(image, keys)
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, e := range p.Entries {
		kind, value := e.Value.Type().String(), fmt.Sprint(e.Value)
		switch v := e.Value.(type) {
		case nvsgen.Text:
			kind, value = "str", hex.EncodeToString([]byte(v))
		case nvsgen.Bytes:
			value = hex.EncodeToString(v)
		case nvsgen.Float:
			value = strconv.FormatFloat(float64(v), 'g', -1, 32)
		}
		lines = append(lines, entryLine(e.Namespace, e.Key, kind, value))
	}
	return lines, p.Refused
}

func entryLine(namespace, key, kind, value string) string {
	return fmt.Sprintf("%s/%s %s %s", namespace, key, kind, value)
}

func otherGenerate(r request) (image []byte, err error) {
	switch {
	case r.version == 1:
		return nil, fmt.Errorf("version 1 pages are %w", errMissing)
	case r.keys != nil:
		return nil, fmt.Errorf("encryption is %w", errMissing)
	}
	defer recovered(&err)
	return nvs.GenerateNVS(otherEntries(r.entries), r.size)
}

// otherEntries are entries as the package takes them.
func otherEntries(entries []nvsgen.Entry) (list []nvs.Entry) {
	for _, e := range entries {
		if e.Value == nil {
			continue // a namespace without keys cannot be said
		}
		list = append(list, nvs.Entry{Namespace: e.Namespace, Key: e.Key, Type: e.Value.Type().String(), Value: plainValue(e.Value)})
	}
	return list
}

// plainValue is a value as Go's own type.
func plainValue(value nvsgen.Value) any {
	switch v := value.(type) {
	case nvsgen.Uint8:
		return uint8(v)
	case nvsgen.Uint16:
		return uint16(v)
	case nvsgen.Uint32:
		return uint32(v)
	case nvsgen.Int8:
		return int8(v)
	case nvsgen.Int16:
		return int16(v)
	case nvsgen.Int32:
		return int32(v)
	case nvsgen.Text:
		return string(v)
	case nvsgen.Bytes:
		return []byte(v)
	default:
		return v // of a type that the package does not know
	}
}

func otherParse(image []byte, keys *nvsgen.Keys) (lines []string, err error) {
	if keys != nil {
		return nil, fmt.Errorf("encryption is %w", errMissing)
	}
	defer recovered(&err)
	entries, err := nvs.ParseNVS(image)
	for _, e := range entries {
		kind, value := e.Type, fmt.Sprint(e.Value)
		switch v := e.Value.(type) {
		case string:
			kind, value = "str", hex.EncodeToString([]byte(v))
		case []byte:
			value = hex.EncodeToString(v)
		}
		lines = append(lines, entryLine(e.Namespace, e.Key, kind, value))
	}
	return lines, err
}

// errPanic is returned when a package panics.
var errPanic = errors.New("panics")

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errPanic, r)
	}
}
