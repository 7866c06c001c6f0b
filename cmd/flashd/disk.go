package main

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// freeBytes returns how much more flashd, which is not root, can store on the
// disk that holds path.
func freeBytes(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// freeSpace is the metric of the disk with the record. It is NaN while the disk
// cannot be asked.
func freeSpace(stateDir string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashd_state_free_bytes", Help: "Free space on the disk that holds the record, in bytes.",
	}, func() float64 {
		free, err := freeBytes(stateDir)
		if err != nil {
			return math.NaN()
		}
		return float64(free)
	})
}
