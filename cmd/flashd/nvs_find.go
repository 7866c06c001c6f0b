package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/nvsgen"
)

// tableOffset is where the partition table of a flash image is, unless its firmware
// was built otherwise (esp-idf CONFIG_PARTITION_TABLE_OFFSET).
const tableOffset = 0x8000

func nvsPartitionFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "partition", Usage: "of an image of a whole flash: look into the NVS partition with this `NAME`", DefaultText: "nvs, or the only one"}
}

// isWholeFlash reports whether image is one of a whole flash: it has a partition
// table, which an NVS partition cannot have there.
func isWholeFlash(image []byte) bool {
	return len(image) > tableOffset && flasher.IsPartitionTable(image[tableOffset:])
}

// nvsOf cuts the NVS partition out of an image of a whole flash, with the keys that
// are in the clear there; nil if there are none. Label is the partition's; "" for
// nvs, or the only one.
func nvsOf(image []byte, label string) (partition []byte, keys *nvsgen.Keys, err error) {
	table, err := flasher.ParsePartitionTable(image[tableOffset:])
	if err != nil {
		return nil, nil, fmt.Errorf("it is an image of a whole flash: %w", err)
	}
	p, err := chooseNVS(table, label)
	if err != nil {
		return nil, nil, err
	}
	if partition, err = cut(image, p); err != nil {
		return nil, nil, err
	}
	return partition, keysIn(image, table), nil
}

// chooseNVS returns the NVS partition with a label, else nvs, else the only one.
func chooseNVS(table flasher.PartitionTable, label string) (flasher.Partition, error) {
	found := ofKind(table, flasher.NVS)
	var labels []string
	for _, p := range found {
		if p.Label == label || label == "" && (p.Label == "nvs" || len(found) == 1) {
			return p, nil
		}
		labels = append(labels, p.Label)
	}
	switch there := strings.Join(labels, ", "); {
	case there == "":
		return flasher.Partition{}, errors.New("it is an image of a whole flash whose partition table has no NVS partition")
	case label != "":
		return flasher.Partition{}, usagef("--partition %s: the NVS partitions of the flash are %s", label, there)
	default:
		return flasher.Partition{}, usagef("it is an image of a whole flash with the NVS partitions %s: choose one with --partition", there)
	}
}

func ofKind(table flasher.PartitionTable, subtype uint8) (found flasher.PartitionTable) {
	for _, p := range table {
		if p.IsData(subtype) {
			found = append(found, p)
		}
	}
	return found
}

func cut(image []byte, p flasher.Partition) ([]byte, error) {
	if p.End() > uint64(len(image)) {
		return nil, fmt.Errorf("it is cut short: partition %s ends beyond its %#x bytes", p, len(image))
	}
	return image[p.Offset:p.End()], nil
}

// keysIn are the first keys of NVS that are in the clear; nil if there are none.
func keysIn(image []byte, table flasher.PartitionTable) *nvsgen.Keys {
	for _, p := range ofKind(table, flasher.NVSKeys) {
		data, err := cut(image, p)
		if err != nil {
			continue
		}
		if keys, err := nvsgen.ParseKeys(data); err == nil {
			return keys
		}
	}
	return nil
}

// checkPages refuses an image that is mostly of something else than NVS, whose
// every sector would be a problem of its own.
func checkPages(p *nvsgen.Partition) error {
	pages, others := 0, 0
	for _, page := range p.Pages {
		switch page.State {
		case nvsgen.Blank:
		case nvsgen.Corrupt:
			others++
		default:
			pages++
		}
	}
	if len(p.Pages)*nvsgen.PageSize > tableOffset && others > pages {
		return fmt.Errorf("it is no NVS partition, since %d of its sectors are no NVS pages, and no image of a whole flash, since it has no partition table at %#x", others, tableOffset)
	}
	return nil
}
