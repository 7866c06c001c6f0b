package main

import (
	"fmt"
	"os"
	"path/filepath"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
)

// release is what is flashed.
type release struct {
	dir      string // for job files
	firmware []segment
	nvs      segment
}

// segment is one part of it, in a file as other clients want it.
type segment struct {
	Name   string
	Offset uint32
	File   string
	size   int
	wire   int // bytes after flashd's compression
}

// newRelease makes flashd's demo release, an application of 1.4 MB that
// compresses as firmware does, and an NVS partition with one unit's
// credentials in it.
func newRelease(dir string) (*release, error) {
	demo, err := firmware.Demo(dir, "demo", "esp32s3")
	if err != nil {
		return nil, err
	}
	r := &release{dir: dir}
	for _, s := range demo.Segments {
		part, err := r.save(s.Name, s.Offset, s.Data, s.Deflated)
		if err != nil {
			return nil, err
		}
		r.firmware = append(r.firmware, part)
	}
	personal, err := demo.Personal(firmware.Values{
		"mqtt_user": "7CDFA1000001", "mqtt_pass": "correct horse battery staple", "device_id": "7CDFA1000001",
	})
	if err != nil {
		return nil, err
	}
	r.nvs, err = r.save("nvs", demo.NVS.Offset, personal.NVS, nil)
	return r, err
}

// save writes a part to a file, and beside it its compressed form if there is
// one, as flashd keeps it of a release.
func (r *release) save(name string, offset uint32, data, deflated []byte) (segment, error) {
	packed, err := flasher.Repack(name, offset, data, deflated)
	if err != nil {
		return segment{}, err
	}
	path := filepath.Join(r.dir, fmt.Sprintf("%x.bin", offset))
	if deflated != nil {
		if err := os.WriteFile(path+".zlib", deflated, 0o600); err != nil {
			return segment{}, err
		}
	}
	return segment{name, offset, path, len(data), packed.WireSize()}, os.WriteFile(path, data, 0o600)
}
