package firmware

import (
	"errors"
	"fmt"
	"slices"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/nvsgen"
)

// minNVS is the least that NVS works with: two pages and a spare one
// (esp-idf gen_esp32part.py NVS_RW_MIN_PARTITION_SIZE).
const minNVS = 0x3000

// nvsPartition returns the partition for credentials: the one called nvs, as
// ESP-IDF and Arduino open by default, or the only one of that kind.
func nvsPartition(table flasher.PartitionTable) (flasher.Partition, error) {
	var found []flasher.Partition
	for _, p := range table {
		if p.IsData(flasher.NVS) {
			found = append(found, p)
		}
	}
	i := slices.IndexFunc(found, func(p flasher.Partition) bool { return p.Label == "nvs" })
	switch {
	case len(found) == 0:
		return flasher.Partition{}, errors.New("the partition table has no nvs partition (type data, subtype nvs): credentials have no place")
	case i < 0 && len(found) > 1:
		return flasher.Partition{}, errors.New("the partition table has several nvs partitions and none is called nvs: credentials have no clear place")
	}
	p := found[max(i, 0)]
	if p.Size < minNVS || p.Size%flasher.SectorSize != 0 {
		return p, fmt.Errorf("partition %s has %d bytes: NVS needs a multiple of 4096, at least %d", p, p.Size, minNVS)
	}
	return p, nil
}

// keysPartition returns the partition for the keys of encrypted NVS: the first
// of its kind, as the firmware looks for it (esp-idf
// components/nvs_sec_provider/nvs_sec_provider.c).
func keysPartition(table flasher.PartitionTable) (*flasher.Partition, error) {
	i := slices.IndexFunc(table, func(p flasher.Partition) bool {
		return p.IsData(flasher.NVSKeys)
	})
	if i < 0 {
		return nil, fmt.Errorf("the partition table has no nvs_keys partition (type data, subtype nvs_keys), where encrypted NVS has its keys: add one of %d bytes; "+
			"the HMAC scheme does without, but wants a key burnt into an eFuse, and flashd burns none", nvsgen.KeysSize)
	}
	if p := table[i]; p.Size < nvsgen.KeysSize {
		return nil, fmt.Errorf("partition %s has %d bytes: the keys of encrypted NVS need at least %d", p, p.Size, nvsgen.KeysSize)
	}
	return &table[i], nil
}
